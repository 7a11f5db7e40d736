#include "base/dtype.h"

namespace mlx {
namespace {

constexpr const char* kNames[kDTypeCount] = {"bool",    "uint8",   "int8",      "int16",
                                             "int32",   "int64",   "float16",   "bfloat16",
                                             "float32", "float64", "complex64", "complex128"};
constexpr const char* kShortNames[kDTypeCount] = {"Bool",  "Byte",   "Char",         "Short",
                                                  "Int",   "Long",   "Half",         "BFloat16",
                                                  "Float", "Double", "ComplexFloat", "ComplexDouble"};
DType g_default_dtype = DType::Float32;

enum class Kind { Bool, Integral, Floating, Complex };

Kind kind(DType t) {
  if (t == DType::Bool) return Kind::Bool;
  if (is_integral(t)) return Kind::Integral;
  return is_complex(t) ? Kind::Complex : Kind::Floating;
}

}  // namespace

const char* name(DType t) { return kNames[static_cast<int>(t)]; }
const char* short_name(DType t) { return kShortNames[static_cast<int>(t)]; }
std::ostream& operator<<(std::ostream& out, DType t) { return out << "mlx." << name(t); }

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  if (is_complex(b)) {
    // float64 widens complex64; everything else keeps the complex type it meets.
    return b == DType::Complex128 || a == DType::Float64 ? DType::Complex128 : DType::Complex64;
  }
  if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
  if (is_floating(b)) return b;
  // uint8 and a signed type: the smallest signed type that holds both.
  if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
  return b;
}

bool can_cast(DType from, DType to) {
  return kind(from) <= kind(to) && !(to == DType::Bool && from != DType::Bool);
}

DType to_real(DType t) {
  if (t == DType::Complex64) return DType::Float32;
  return t == DType::Complex128 ? DType::Float64 : t;
}

DType to_complex(DType t) {
  if (is_complex(t)) return t;
  return t == DType::Float64 ? DType::Complex128 : DType::Complex64;
}

DType compute_type(DType t) {
  switch (t) {
    case DType::Bool:
      return DType::UInt8;
    case DType::Int8:
    case DType::Int16:
      return DType::Int32;
    case DType::Float16:
    case DType::BFloat16:
      return DType::Float32;
    default:
      return t;
  }
}

DType default_dtype() { return g_default_dtype; }
void set_default_dtype(DType t) { g_default_dtype = t; }

}  // namespace mlx
