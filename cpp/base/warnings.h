#pragma once
// Warnings: what is allowed but seldom meant. They go to whoever asked for them; Python's bindings do.

#include <string>

namespace mlx {

using WarningSink = void (*)(const std::string& message);

inline WarningSink& warning_sink() {
  static WarningSink sink = nullptr;
  return sink;
}

inline void warn(const std::string& message) {
  if (WarningSink sink = warning_sink()) sink(message);
}

}  // namespace mlx
