#include "backends/cpu/cpu_backend.h"

#include <vector>

namespace mlx::cpu {
namespace {

std::vector<KernelFunction>& table() {
  static std::vector<KernelFunction> functions;
  return functions;
}

class CpuBackend : public Backend {
 public:
  void run(const Launch& launch) override {
    auto& functions = table();
    size_t k = static_cast<size_t>(launch.kernel);
    if (k >= functions.size() || !functions[k])
      throw NotImplementedError("the CPU has no kernel '", kernel_name(launch.kernel), "'");
    functions[k](launch);
  }
};

const bool registered = [] {
  static CpuBackend backend;
  register_backend(DeviceType::CPU, &backend);
  return true;
}();

}  // namespace

void register_kernel(int kernel, KernelFunction run) {
  auto& functions = table();
  if (functions.size() <= static_cast<size_t>(kernel)) functions.resize(static_cast<size_t>(kernel) + 1);
  functions[static_cast<size_t>(kernel)] = run;
}

}  // namespace mlx::cpu
