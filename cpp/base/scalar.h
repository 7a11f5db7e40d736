#pragma once
// A number of Python: a bool, an integer, a float or a complex.

#include <complex>
#include <concepts>
#include <cstdint>

#include "base/dtype.h"

namespace mlx {

class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Float, Complex };

  Scalar() : Scalar(int64_t{0}) {}
  Scalar(bool v) : kind_(Kind::Bool), int_(v) {}
  template <std::integral T>
  Scalar(T v) : kind_(Kind::Int), int_(static_cast<int64_t>(v)) {}
  template <std::floating_point T>
  Scalar(T v) : kind_(Kind::Float), real_(v) {}
  Scalar(Half v) : Scalar(static_cast<float>(v)) {}
  Scalar(BFloat16 v) : Scalar(static_cast<float>(v)) {}
  Scalar(std::complex<float> v) : Scalar(std::complex<double>(v)) {}
  Scalar(std::complex<double> v) : kind_(Kind::Complex), real_(v.real()), imag_(v.imag()) {}

  Kind kind() const { return kind_; }
  bool is_integral() const { return kind_ <= Kind::Int; }
  bool is_complex() const { return kind_ == Kind::Complex; }
  // The dtype of a Python number on its own: bool, int64, the default float or its complex type.
  DType dtype() const;

  int64_t to_int() const { return is_integral() ? int_ : static_cast<int64_t>(real_); }
  double to_double() const { return is_integral() ? static_cast<double>(int_) : real_; }
  bool to_bool() const { return is_integral() ? int_ != 0 : real_ != 0 || imag_ != 0; }
  std::complex<double> to_complex() const { return {to_double(), is_complex() ? imag_ : 0.0}; }

  // The value as a tensor element of type T.
  template <class T>
  T to() const {
    if constexpr (std::is_same_v<T, bool>)
      return to_bool();
    else if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>)
      return T(to_complex());
    else if constexpr (std::integral<T>)
      return static_cast<T>(to_int());
    else if constexpr (std::floating_point<T>)
      return static_cast<T>(to_double());
    else
      return T(static_cast<float>(to_double()));
  }

  bool equals(double v) const { return !is_complex() ? to_double() == v : real_ == v && imag_ == 0; }
  Scalar operator-() const {
    if (is_integral()) return -int_;
    return is_complex() ? Scalar(-to_complex()) : Scalar(-real_);
  }
  friend std::ostream& operator<<(std::ostream& out, const Scalar& s) {
    if (s.kind_ == Kind::Bool) return out << (s.int_ ? "True" : "False");
    if (s.kind_ == Kind::Int) return out << s.int_;
    if (s.kind_ == Kind::Float) return out << s.real_;
    return out << s.to_complex();
  }

 private:
  Kind kind_;
  union {
    int64_t int_;
    double real_;
  };
  double imag_ = 0;
};

inline DType Scalar::dtype() const {
  switch (kind_) {
    case Kind::Bool:
      return DType::Bool;
    case Kind::Int:
      return DType::Int64;
    case Kind::Float:
      return default_dtype();
    case Kind::Complex:
      break;
  }
  return mlx::to_complex(default_dtype());
}

}  // namespace mlx
