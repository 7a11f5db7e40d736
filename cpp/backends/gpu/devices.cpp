// Finds the machine's GPU when it is first asked for.

#include <cstdlib>
#include <string>

#if !defined(__APPLE__)
#include <dlfcn.h>
#endif

#include "backends/gpu/gpu_backend.h"
#include "memory/allocator.h"

#if defined(__APPLE__)
extern "C" mlx::gpu::Runtime* mlx_metal_runtime();
#endif

namespace mlx::gpu {
namespace {

#if defined(__APPLE__)

Runtime* metal_runtime() { return mlx_metal_runtime(); }

#else

// Where there is no Metal, an emulator may stand in for it (see tests/metal_emulator): its path is in an
// environment variable, and the library with the runtime lies beside it.
Runtime* metal_runtime() {
  const char* emulator = std::getenv("MLX_METAL_EMULATOR");
  if (!emulator || !*emulator) return nullptr;
  const std::string path = emulator;
  const size_t slash = path.rfind('/');
  const std::string runtime =
      (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "libmlx_metal.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library) library = dlopen(runtime.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* function = library ? dlsym(library, "mlx_metal_runtime") : nullptr;
  if (!function) throw RuntimeError("MLX_METAL_EMULATOR: ", dlerror());
  return reinterpret_cast<Runtime* (*)()>(function)();
}

#endif

const bool registered = [] {
  register_opener(DeviceType::MPS, [] {
    if (Runtime* runtime = metal_runtime()) register_runtime(DeviceType::MPS, *runtime);
  });
  return true;
}();

}  // namespace
}  // namespace mlx::gpu
