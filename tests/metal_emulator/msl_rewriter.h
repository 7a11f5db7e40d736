// Turns a text in Metal Shading Language into one that clang compiles for the host. MSL is nearly C++; what
// is not is changed in place, so that line numbers stay:
//   - attributes of kernels and their parameters go, and a line that describes the kernel follows its body;
//   - `threadgroup` variables of a kernel become references to memory of the group;
//   - 1.0h becomes 1.0f16, and constructors of vectors behind a typedef become calls.
#pragma once

#include <string>
#include <string_view>

namespace metal_emulator {

struct Rewritten {
  std::string text;
  // In the form of clang's own messages; empty if all is well.
  std::string errors;
  // Kernels or threadgroup variables come out of macros: the text must go through the preprocessor first.
  bool needs_preprocessing = false;
};

Rewritten rewrite_msl(std::string_view source);

// The text without its #include lines, which the preprocessor shall not follow (the library comes
// precompiled).
std::string without_includes(std::string_view source);

}  // namespace metal_emulator
