#include "base/representable.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace mlx {
namespace {

template <std::integral T>
bool fits(const Scalar& value) {
  constexpr T most = std::numeric_limits<T>::max();
  constexpr int64_t least =
      std::is_unsigned_v<T> ? -static_cast<int64_t>(most) : std::numeric_limits<T>::min();
  if (value.is_integral()) return value.to_int() >= least && value.to_int() <= static_cast<int64_t>(most);
  // As a double, the largest int64 is 2 ** 63, which is none.
  const double v = value.to_double(), bound = static_cast<double>(most);
  return v >= static_cast<double>(least) && (sizeof(T) < 8 ? v <= bound : v < bound);
}

bool fits(const Scalar& value, DType type) {
  if (value.is_complex() && !is_complex(type) && type != DType::Bool)
    return value.to_complex().imag() == 0 && fits(Scalar(value.to_complex().real()), type);
  switch (type) {
    case DType::UInt8:
      return fits<uint8_t>(value);
    case DType::Int8:
      return fits<int8_t>(value);
    case DType::Int16:
      return fits<int16_t>(value);
    case DType::Int32:
      return fits<int32_t>(value);
    case DType::Int64:
      return fits<int64_t>(value);
    default:
      return true;
  }
}

}  // namespace

void check_representable(const Scalar& value, DType type) {
  if (!fits(value, type))
    throw RuntimeError("value cannot be converted to type ", type, " without overflow: ", value);
}

}  // namespace mlx
