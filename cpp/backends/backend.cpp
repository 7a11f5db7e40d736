#include "backends/backend.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mlx {
namespace {

std::array<Backend*, 3> g_backends{};
LongWork g_long_work;
// From this many elements on a launch outlasts handing a lock over and back.
constexpr int64_t kLongWork = 1 << 16;

struct Away {
  void* state = g_long_work.leave();
  ~Away() { g_long_work.enter(state); }
};

std::vector<const char*>& kernel_names() {
  static std::vector<const char*> names;
  return names;
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

int next_kernel_number(const char* name) {
  kernel_names().push_back(name);
  return static_cast<int>(kernel_names().size()) - 1;
}

const char* kernel_name(int kernel) { return kernel_names()[static_cast<size_t>(kernel)]; }
int kernel_count() { return static_cast<int>(kernel_names().size()); }

void set_long_work(LongWork hooks) { g_long_work = hooks; }

void launch(const Launch& l) {
  const Tensor& home = *(l.outputs.empty() ? l.inputs : l.outputs)[0];
  Backend& b = backend(home.device().type);
  int64_t elements = home.numel();
  for (const Tensor* t : l.inputs) elements = std::max(elements, t->defined() ? t->numel() : 0);
  if (elements < kLongWork || !g_long_work.leave) return b.run(l);
  Away away;
  b.run(l);
}

}  // namespace mlx
