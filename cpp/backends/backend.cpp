#include "backends/backend.h"

#include <array>
#include <vector>

namespace mlx {
namespace {

std::array<Backend*, 3> g_backends{};

std::vector<const char*>& kernel_names() {
  static std::vector<const char*> names;
  return names;
}

}  // namespace

Backend& backend(DeviceType type) {
  if (Backend* b = g_backends[static_cast<size_t>(type)]) return *b;
  std::string have;
  for (size_t i = 0; i < g_backends.size(); ++i)
    if (g_backends[i]) have += str(have.empty() ? "" : ", ", "'", name(static_cast<DeviceType>(i)), "'");
  throw RuntimeError("device '", name(type), "' is not available here; this build has ", have);
}

void register_backend(DeviceType type, Backend* b) { g_backends[static_cast<size_t>(type)] = b; }
bool has_backend(DeviceType type) { return g_backends[static_cast<size_t>(type)] != nullptr; }

int next_kernel_number(const char* name) {
  kernel_names().push_back(name);
  return static_cast<int>(kernel_names().size()) - 1;
}

const char* kernel_name(int kernel) { return kernel_names()[static_cast<size_t>(kernel)]; }
int kernel_count() { return static_cast<int>(kernel_names().size()); }

void launch(const Launch& l) {
  const Tensor& home = *(l.outputs.empty() ? l.inputs : l.outputs)[0];
  backend(home.device().type).run(l);
}

}  // namespace mlx
