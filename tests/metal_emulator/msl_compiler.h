// From a text in MSL to kernels in memory: rewritten, compiled by clang against ./stdlib, linked, loaded, and
// kept in a cache on disk under a hash of everything that decides the result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stdlib/metal_emulator_abi.h"

namespace metal_emulator {

enum class MathMode { safe, relaxed, fast };

class CompiledLibrary {
 public:
  explicit CompiledLibrary(void* handle) : handle_(handle) {}
  // Null if there is no kernel of that name.
  const Kernel* find(const std::string& name) const;

 private:
  void* handle_;  // never unloaded: the same text is likely to come again
};

struct Compilation {
  std::shared_ptr<const CompiledLibrary> library;  // null if there were errors
  std::string errors;                              // clang's messages, with the lines of the text
};
Compilation compile_msl(const std::string& source, MathMode mode);

}  // namespace metal_emulator
