#pragma once
// Where a tensor's memory lies.

#include <cstdint>
#include <ostream>

#include "base/fast_thread_local.h"

namespace mlx {

enum class DeviceType : uint8_t { CPU, MPS, CUDA };

struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = -1;
  friend bool operator==(const Device&, const Device&) = default;
};

// Where this thread makes tensors when it is not told.
struct DefaultDevice {
  static inline constinit MLX_FAST_THREAD_LOCAL Device value{};
};

inline const char* name(DeviceType t) {
  constexpr const char* names[] = {"cpu", "mps", "cuda"};
  return names[static_cast<int>(t)];
}

inline std::ostream& operator<<(std::ostream& out, const Device& d) {
  out << name(d.type);
  return d.index >= 0 ? out << ':' << int(d.index) : out;
}

}  // namespace mlx
