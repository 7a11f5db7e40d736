// What every kernel's text begins with: types that the language lacks, and conversions with the CPU's meaning.
#include <metal_stdlib>
using namespace metal;

struct complex64 {
  float re, im;
  complex64() = default;
  complex64(float real, float imaginary) : re(real), im(imaginary) {}
};
inline complex64 operator+(complex64 a, complex64 b) { return complex64(a.re + b.re, a.im + b.im); }
inline complex64 operator-(complex64 a, complex64 b) { return complex64(a.re - b.re, a.im - b.im); }
inline complex64 operator-(complex64 a) { return complex64(-a.re, -a.im); }
inline complex64 operator*(complex64 a, complex64 b) {
  return complex64(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}
// By Smith's method: scaled by the divisor's larger part, so that nothing overflows on the way.
inline complex64 operator/(complex64 a, complex64 b) {
  if (b.re == 0 && b.im == 0) return complex64(a.re / abs(b.re), a.im / abs(b.im));
  if (abs(b.re) >= abs(b.im)) {
    const float ratio = b.im / b.re, scale = 1.0f / (b.re + b.im * ratio);
    return complex64((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale);
  }
  const float ratio = b.re / b.im, scale = 1.0f / (b.re * ratio + b.im);
  return complex64((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale);
}
inline bool operator==(complex64 a, complex64 b) { return a.re == b.re && a.im == b.im; }
inline bool operator!=(complex64 a, complex64 b) { return !(a == b); }

// A float that an integer cannot hold gives the smallest integer; narrow integers wrap.
template <typename To>
struct Converter {
  template <typename From>
  static To from(From x) {
    return To(x);
  }
  static To from(float x) { return To(x >= -2147483648.0f && x < 2147483648.0f ? int(x) : int(0x80000000)); }
  static To from(half x) { return from(float(x)); }
  static To from(bfloat x) { return from(float(x)); }
  static To from(complex64 x) { return from(x.re); }
};
template <>
struct Converter<bool> {
  template <typename From>
  static bool from(From x) {
    return x != From(0);
  }
  static bool from(complex64 x) { return x.re != 0 || x.im != 0; }
};
template <>
struct Converter<long> {
  template <typename From>
  static long from(From x) {
    return long(x);
  }
  static long from(float x) {
    return x >= -9223372036854775808.0f && x < 9223372036854775808.0f ? long(x) : long(0x8000000000000000);
  }
  static long from(half x) { return from(float(x)); }
  static long from(bfloat x) { return from(float(x)); }
  static long from(complex64 x) { return from(x.re); }
};
template <typename To>
struct FloatConverter {
  template <typename From>
  static To from(From x) {
    return To(x);
  }
  static To from(complex64 x) { return To(x.re); }
};
template <>
struct Converter<float> : FloatConverter<float> {};
template <>
struct Converter<half> : FloatConverter<half> {};
template <>
struct Converter<bfloat> : FloatConverter<bfloat> {};
template <>
struct Converter<complex64> {
  template <typename From>
  static complex64 from(From x) {
    return complex64(float(x), 0.0f);
  }
  static complex64 from(complex64 x) { return x; }
};
template <typename To, typename From>
inline To convert(From x) {
  return Converter<To>::from(x);
}

// What memory holds for an element: a truth value is a byte of 0 or 1.
template <typename T>
struct MemoryOf {
  typedef T type;
};
template <>
struct MemoryOf<bool> {
  typedef uchar type;
};
template <typename T>
using Memory = typename MemoryOf<T>::type;
template <typename To, typename From>
inline Memory<To> stored(From x) {
  return Memory<To>(convert<To>(x));
}

// Some dimensions of a tensor (cpp/backends/gpu/dims.h), and where their element number i lies.
struct Dims {
  uint count;
  uint sizes[8];
  long steps[8];
};
template <typename Index>
inline long offset_of(constant Dims& dims, Index i) {
  if (dims.count <= 1) return dims.count ? long(i) * dims.steps[0] : 0;
  long offset = 0;
  for (int d = int(dims.count) - 1; d > 0; --d) {
    const Index rest = i / dims.sizes[d];
    offset += long(i - rest * dims.sizes[d]) * dims.steps[d];
    i = rest;
  }
  return offset + long(i) * dims.steps[0];
}

// Four neighbouring elements, moved by one load or store.
template <typename T>
struct VectorOf {
  typedef vec<T, 4> type;
};
struct Complex64x4 {
  complex64 at[4];
  thread complex64& operator[](ushort k) thread { return at[k]; }
  complex64 operator[](ushort k) const thread { return at[k]; }
};
template <>
struct VectorOf<complex64> {
  typedef Complex64x4 type;
};
template <typename T>
using Vector = typename VectorOf<T>::type;
template <typename T>
inline Vector<T> load_vector(device const T* p) {
  return *reinterpret_cast<device const Vector<T>*>(p);
}
template <typename T>
inline void store_vector(device T* p, Vector<T> v) {
  *reinterpret_cast<device Vector<T>*>(p) = v;
}
