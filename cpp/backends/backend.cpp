#include "backends/backend.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mlx {
namespace {

std::array<Backend*, 3> g_backends{};
LongWork g_long_work;

std::vector<KernelTraits>& kernels() {
  static std::vector<KernelTraits> list;
  return list;
}

// A tensor of a trace that was kept beyond it has no memory that a kernel could read.
void check_memory(const Launch& l) {
  for (auto tensors : {l.outputs, l.inputs})
    for (const Tensor* t : tensors)
      if (t->defined()) check_readable(*t, kernel_name(l.kernel));
}

}  // namespace

Backend& backend(DeviceType type) {
  if (Backend* b = g_backends[static_cast<size_t>(type)]) return *b;
  std::string have;
  for (size_t i = 0; i < g_backends.size(); ++i)
    if (g_backends[i]) have += str(have.empty() ? "" : ", ", name(static_cast<DeviceType>(i)));
  throw RuntimeError("device '", name(type), "' is not available here; the devices here are: ", have);
}

void register_backend(DeviceType type, Backend* b) { g_backends[static_cast<size_t>(type)] = b; }
bool has_backend(DeviceType type) { return g_backends[static_cast<size_t>(type)] != nullptr; }

int next_kernel_number(const KernelTraits& traits) {
  kernels().push_back(traits);
  return static_cast<int>(kernels().size()) - 1;
}

const KernelTraits& kernel_traits(int kernel) { return kernels()[static_cast<size_t>(kernel)]; }

void set_long_work(LongWork hooks) { g_long_work = hooks; }

OutsideHost::OutsideHost() : state_(g_long_work.leave ? g_long_work.leave() : nullptr) {}
OutsideHost::~OutsideHost() {
  if (g_long_work.enter) g_long_work.enter(state_);
}

void launch(const Launch& l) {
  if (Recorder* recorder = Recorder::current()) return recorder->record(l);
  check_memory(l);
  const Tensor& home = *(l.outputs.empty() ? l.inputs : l.outputs)[0];
  Backend& b = backend(home.device().type);
  int64_t elements = home.numel();
  for (const Tensor* t : l.inputs) elements = std::max(elements, t->defined() ? t->numel() : 0);
  if (elements < kLongWork) return b.run(l);
  OutsideHost outside;
  b.run(l);
}

}  // namespace mlx
