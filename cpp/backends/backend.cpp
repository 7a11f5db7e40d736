#include "backends/backend.h"

#include <algorithm>
#include <array>
#include <vector>

#include "memory/allocator.h"

namespace mlx {
namespace {

std::array<Backend*, 3> g_backends{};
LongWork g_long_work;

std::vector<KernelTraits>& kernels() {
  static std::vector<KernelTraits> list;
  return list;
}

// Operands lie on the device that works, but for numbers, and for what reaches across devices. The CPU waits
// for what it reads of a GPU's memory.
void check_device(const Launch& l, const Tensor& t, Device home) {
  if (l.kernel == kernel_number<Transfer>() || l.kernel == kernel_number<HostCall>()) {
    if (home.type == DeviceType::CPU) make_readable(t, kernel_name(l.kernel));
  } else if (t.device().type != DeviceType::CPU || t.dim() > 0) {
    throw RuntimeError(kernel_name(l.kernel), "(): expected all tensors to be on the same device, but found ",
                       home, " and ", t.device());
  }
}

// A tensor of a trace that was kept beyond it has no memory that a kernel could read.
void check_operands(const Launch& l, Device home) {
  for (auto tensors : {l.outputs, l.inputs})
    for (const Tensor* t : tensors) {
      if (!t->defined()) continue;
      check_readable(*t, kernel_name(l.kernel));
      if (!(t->device() == home)) check_device(l, *t, home);
    }
}

}  // namespace

Backend& backend(DeviceType type) {
  if (type != DeviceType::CPU) open_device(type);
  if (Backend* b = g_backends[static_cast<size_t>(type)]) return *b;
  std::string have;
  for (size_t i = 0; i < g_backends.size(); ++i)
    if (g_backends[i]) have += str(have.empty() ? "" : ", ", name(static_cast<DeviceType>(i)));
  throw RuntimeError("device '", name(type), "' is not available here; the devices here are: ", have);
}

void register_backend(DeviceType type, Backend* b) { g_backends[static_cast<size_t>(type)] = b; }
bool has_backend(DeviceType type) {
  open_device(type);
  return g_backends[static_cast<size_t>(type)] != nullptr;
}

int next_kernel_number(const KernelTraits& traits) {
  kernels().push_back(traits);
  return static_cast<int>(kernels().size()) - 1;
}

const KernelTraits& kernel_traits(int kernel) { return kernels()[static_cast<size_t>(kernel)]; }

int kernel_count() { return static_cast<int>(kernels().size()); }

void set_long_work(LongWork hooks) { g_long_work = hooks; }

OutsideHost::OutsideHost() : state_(g_long_work.leave ? g_long_work.leave() : nullptr) {}
OutsideHost::~OutsideHost() {
  if (g_long_work.enter) g_long_work.enter(state_);
}

void launch(const Launch& l) {
  if (Recorder* recorder = Recorder::current()) return recorder->record(l);
  const Tensor& home = *(l.outputs.empty() ? l.inputs : l.outputs)[0];
  check_operands(l, home.device());
  Backend& b = backend(home.device().type);
  int64_t elements = home.numel();
  for (const Tensor* t : l.inputs) elements = std::max(elements, t->defined() ? t->numel() : 0);
  if (elements < kLongWork) return b.run(l);
  OutsideHost outside;
  b.run(l);
}

}  // namespace mlx
