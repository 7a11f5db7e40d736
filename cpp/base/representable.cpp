#include "base/representable.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace mlx {
namespace {

// Whether the type's values reach as far as an integer. Unsigned types take negative ones as two's
// complement.
template <class T>
bool reaches(int64_t v) {
  if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    using Limits = std::numeric_limits<T>;
    const int64_t least = Limits::is_signed ? int64_t{Limits::min()} : -int64_t{Limits::max()};
    return v >= least && v <= int64_t{Limits::max()};
  }
  return true;
}

// The same of a real number; what is no number needs a type that has such.
template <class T>
bool reaches(double v) {
  if constexpr (std::same_as<T, bool>) return true;
  if constexpr (std::integral<T>)
    return v >= static_cast<double>(std::numeric_limits<T>::min()) &&
           (sizeof(T) < 8 ? v <= static_cast<double>(std::numeric_limits<T>::max())
                          : v < std::ldexp(1.0, std::numeric_limits<T>::digits));
  return !std::isfinite(v) || std::isfinite(Scalar(Scalar(v).to<T>()).to_double());
}

}  // namespace

bool is_representable(const Scalar& value, DType type) {
  const std::complex<double> z = value.is_complex() ? value.to_complex() : value.to_double();
  if (z.imag() != 0 && !is_complex(type)) return type == DType::Bool;
  return visit(to_real(type), [&]<class T>(T) {
    if constexpr (requires { T{}.real(); })
      return true;
    else
      return value.is_integral() ? reaches<T>(value.to_int())
                                 : reaches<T>(z.real()) && (z.imag() == 0 || reaches<T>(z.imag()));
  });
}

void check_representable(const Scalar& value, DType type) {
  if (!is_representable(value, type))
    throw RuntimeError("value cannot be converted to type ", name(type), " without overflow: ", value);
}

}  // namespace mlx
