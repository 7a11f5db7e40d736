#pragma once
// The element types of tensors and PyTorch's rules for promoting them.

#include <complex>
#include <cstddef>
#include <cstdint>
#include <ostream>

#include "base/half.h"

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
  Complex128,
};
inline constexpr int kDTypeCount = 12;

constexpr size_t item_size(DType t) {
  constexpr uint8_t sizes[kDTypeCount] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
  return sizes[static_cast<int>(t)];
}

constexpr bool is_complex(DType t) { return t >= DType::Complex64; }
constexpr bool is_floating(DType t) { return t >= DType::Float16 && t <= DType::Float64; }
constexpr bool is_inexact(DType t) { return t >= DType::Float16; }
constexpr bool is_integral(DType t) { return t >= DType::UInt8 && t <= DType::Int64; }
constexpr bool is_reduced(DType t) { return t == DType::Float16 || t == DType::BFloat16; }

// PyTorch's name ("float32") and its short class name in messages ("Float").
const char* name(DType t);
const char* short_name(DType t);
std::ostream& operator<<(std::ostream& out, DType t);

DType promote(DType a, DType b);
bool can_cast(DType from, DType to);

// The real type of a complex one and back; other types are returned unchanged.
DType to_real(DType t);
DType to_complex(DType t);

// The type in which kernels compute a dtype: the smaller ones are widened, tile by tile.
DType compute_type(DType t);

// What factory functions give when no dtype is asked for (float32 until the user changes it).
DType default_dtype();
void set_default_dtype(DType t);

// Calls f with a value of the C++ type that stores `t`:  visit(t, [&](auto zero) { using T = decltype(zero);
// ... })
template <class F>
decltype(auto) visit(DType t, F&& f) {
  switch (t) {
    case DType::Bool:
      return f(bool{});
    case DType::UInt8:
      return f(uint8_t{});
    case DType::Int8:
      return f(int8_t{});
    case DType::Int16:
      return f(int16_t{});
    case DType::Int32:
      return f(int32_t{});
    case DType::Int64:
      return f(int64_t{});
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
    case DType::Complex64:
      return f(std::complex<float>{});
    case DType::Complex128:
      break;
  }
  return f(std::complex<double>{});
}

// The same for the seven types that kernels compute in (see compute_type), bool apart.
template <class F>
decltype(auto) visit_compute(DType t, F&& f) {
  switch (t) {
    case DType::Bool:
    case DType::UInt8:
      return f(uint8_t{});
    case DType::Int8:
    case DType::Int16:
    case DType::Int32:
      return f(int32_t{});
    case DType::Int64:
      return f(int64_t{});
    case DType::Float16:
    case DType::BFloat16:
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
    case DType::Complex64:
      return f(std::complex<float>{});
    case DType::Complex128:
      break;
  }
  return f(std::complex<double>{});
}

}  // namespace mlx
