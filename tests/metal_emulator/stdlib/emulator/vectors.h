// Vectors of two, three and four elements. They are clang's own, which brings arithmetic and swizzles; only
// bool and bfloat, which clang has no such vectors of, need structures.
#pragma once
#pragma clang system_header

#include "types.h"

namespace metal {

template <int n>
struct BoolVector;
template <int n>
struct BfloatVector;

template <class T, int n>
struct VectorType {
  using type = T __attribute__((ext_vector_type(n)));
};
template <int n>
struct VectorType<bool, n> {
  using type = BoolVector<n>;
};
template <int n>
struct VectorType<bfloat, n> {
  using type = BfloatVector<n>;
};
template <class T, int n>
using vec = typename VectorType<T, n>::type;

// As `vec`, where the compiler is to deduce T and n from an argument.
template <class T, int n>
using Native = T __attribute__((ext_vector_type(n)));

template <class V>
struct VectorTraits {
  using Element = V;
  static constexpr int size = 1;
};
template <class T, int n>
struct VectorTraits<Native<T, n>> {
  using Element = T;
  static constexpr int size = n;
};
template <int n>
struct VectorTraits<BoolVector<n>> {
  using Element = bool;
  static constexpr int size = n;
};
template <int n>
struct VectorTraits<BfloatVector<n>> {
  using Element = bfloat;
  static constexpr int size = n;
};

// The elements of a structure by name. Metal gives a vector of three the room of four.
template <class T, int n>
struct Elements;
template <class T>
struct Elements<T, 2> {
  T x, y;
};
template <class T>
struct alignas(4 * sizeof(T)) Elements<T, 3> {
  T x, y, z;
};
template <class T>
struct Elements<T, 4> {
  T x, y, z, w;
};

template <int n>
struct BoolVector : Elements<bool, n> {
  BoolVector() = default;
  METAL_FUNCTION BoolVector(bool value) {
    for (int i = 0; i < n; ++i) (*this)[i] = value;
  }
  // What a comparison of vectors gives.
  template <class T>
  METAL_FUNCTION BoolVector(Native<T, n> mask) {
    for (int i = 0; i < n; ++i) (*this)[i] = mask[i] != 0;
  }
  template <class... T>
    requires(sizeof...(T) == n)
  METAL_FUNCTION BoolVector(T... values) {
    const bool all[] = {static_cast<bool>(values)...};
    for (int i = 0; i < n; ++i) (*this)[i] = all[i];
  }
  METAL_FUNCTION bool& operator[](int i) { return (&this->x)[i]; }
  METAL_FUNCTION bool operator[](int i) const { return (&this->x)[i]; }
};

template <int n>
struct alignas(n == 3 ? 8 : 2 * n) BfloatVector : Elements<bfloat, n> {
  BfloatVector() = default;
  METAL_FUNCTION BfloatVector(bfloat value) {
    for (int i = 0; i < n; ++i) (*this)[i] = value;
  }
  METAL_FUNCTION explicit BfloatVector(Native<float, n> values) {
    for (int i = 0; i < n; ++i) (*this)[i] = bfloat(values[i]);
  }
  METAL_FUNCTION bfloat& operator[](int i) { return (&this->x)[i]; }
  METAL_FUNCTION const bfloat& operator[](int i) const { return (&this->x)[i]; }
  METAL_FUNCTION Native<float, n> widened() const {
    Native<float, n> result;
    for (int i = 0; i < n; ++i) result[i] = (*this)[i];
    return result;
  }
};

#define METAL_OPERATOR(op)                                                           \
  template <int n>                                                                   \
  METAL_FUNCTION BfloatVector<n> operator op(BfloatVector<n> a, BfloatVector<n> b) { \
    return BfloatVector<n>(a.widened() op b.widened());                              \
  }                                                                                  \
  template <int n>                                                                   \
  METAL_FUNCTION BfloatVector<n> operator op(BfloatVector<n> a, bfloat b) {          \
    return a op BfloatVector<n>(b);                                                  \
  }                                                                                  \
  template <int n>                                                                   \
  METAL_FUNCTION BfloatVector<n> operator op(bfloat a, BfloatVector<n> b) {          \
    return BfloatVector<n>(a) op b;                                                  \
  }
METAL_OPERATOR(+)
METAL_OPERATOR(-)
METAL_OPERATOR(*)
METAL_OPERATOR(/)
#undef METAL_OPERATOR

// One side may be what a comparison gave.
#define METAL_OPERATOR(op)                                                     \
  template <int n>                                                             \
  METAL_FUNCTION BoolVector<n> operator op(BoolVector<n> a, BoolVector<n> b) { \
    BoolVector<n> result;                                                      \
    for (int i = 0; i < n; ++i) result[i] = a[i] op b[i];                      \
    return result;                                                             \
  }                                                                            \
  template <class T, int n>                                                    \
  METAL_FUNCTION BoolVector<n> operator op(BoolVector<n> a, Native<T, n> b) {  \
    return a op BoolVector<n>(b);                                              \
  }                                                                            \
  template <class T, int n>                                                    \
  METAL_FUNCTION BoolVector<n> operator op(Native<T, n> a, BoolVector<n> b) {  \
    return BoolVector<n>(a) op b;                                              \
  }
METAL_OPERATOR(&&)
METAL_OPERATOR(||)
METAL_OPERATOR(&)
METAL_OPERATOR(|)
METAL_OPERATOR(^)
METAL_OPERATOR(==)
METAL_OPERATOR(!=)
#undef METAL_OPERATOR
template <int n>
METAL_FUNCTION BoolVector<n> operator!(BoolVector<n> a) {
  for (int i = 0; i < n; ++i) a[i] = !a[i];
  return a;
}

// Constructors such as float4(a, b.xy, 1): the arguments' elements in a row, or one element everywhere.
template <class V, class A>
METAL_FUNCTION void append(V& result, int& at, A argument) {
  using Element = typename VectorTraits<V>::Element;
  if constexpr (VectorTraits<A>::size == 1) {
    result[at++] = static_cast<Element>(argument);
  } else {
    for (int i = 0; i < VectorTraits<A>::size; ++i) result[at++] = static_cast<Element>(argument[i]);
  }
}

template <class V, class... A>
METAL_FUNCTION V make_vector(A... arguments) {
  using Element = typename VectorTraits<V>::Element;
  constexpr int given = (VectorTraits<A>::size + ... + 0);
  V result;
  if constexpr (given == 0) {
    for (int i = 0; i < VectorTraits<V>::size; ++i) result[i] = Element(0);
  } else if constexpr (given == 1 && VectorTraits<V>::size > 1) {
    for (int i = 0; i < VectorTraits<V>::size; ++i) result[i] = static_cast<Element>((arguments, ...));
  } else {
    static_assert(given == VectorTraits<V>::size, "a vector is constructed from as many elements as it has");
    int at = 0;
    (append(result, at, arguments), ...);
  }
  return result;
}

template <class To, class From>
METAL_FUNCTION To as_type(From value) {
  static_assert(sizeof(To) == sizeof(From), "as_type needs types of one size");
  return __builtin_bit_cast(To, value);
}

}  // namespace metal

#define METAL_VECTORS(T)         \
  using T##2 = metal::vec<T, 2>; \
  using T##3 = metal::vec<T, 3>; \
  using T##4 = metal::vec<T, 4>; \
  namespace metal {              \
  using ::T##2;                  \
  using ::T##3;                  \
  using ::T##4;                  \
  }
METAL_VECTORS(bool)
METAL_VECTORS(char)
METAL_VECTORS(uchar)
METAL_VECTORS(short)
METAL_VECTORS(ushort)
METAL_VECTORS(int)
METAL_VECTORS(uint)
METAL_VECTORS(long)
METAL_VECTORS(ulong)
METAL_VECTORS(half)
METAL_VECTORS(bfloat)
METAL_VECTORS(float)
#undef METAL_VECTORS
