#pragma once
// The element types of a tensor.

#include <cstddef>
#include <cstdint>

namespace mlx {

enum class DType : uint8_t {
  Bool,
  UInt8,
  Int8,
  Int16,
  Int32,
  Int64,
  Float16,
  BFloat16,
  Float32,
  Float64,
  Complex64,
  Complex128
};

inline constexpr int kDTypeCount = 12;

constexpr size_t item_size(DType dtype) {
  constexpr uint8_t sizes[kDTypeCount] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
  return sizes[static_cast<int>(dtype)];
}

}  // namespace mlx
