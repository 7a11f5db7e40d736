// simdgroup_matrix. A matrix is spread over the lanes of a simdgroup on the hardware; here the first lane has
// all of it and does all the work, and the other lanes pass by. No lane need wait: what a load reads was
// written before a barrier, and what a store writes is read after one. Only thread_elements(), where each
// lane reaches into its part, makes the lanes meet: once there, and again before the first lane goes on to
// change or leave the matrix.
#pragma once
#pragma clang system_header

#include "simdgroup.h"

namespace metal {

namespace matrix {

METAL_FUNCTION bool is_leader() { return metal_emulator_is_first_lane(); }

// Made true by the rewriter for a text that calls thread_elements(). In all others nobody ever has to wait,
// and the compiler may skip whole stretches of matrix functions for the lanes that pass by.
template <class T>
inline constexpr bool kElementsAreUsed = false;

// Before anything happens to any matrix: those who hold elements have finished with them.
template <class T>
METAL_FUNCTION void settle() {
  if constexpr (kElementsAreUsed<T>) {
    if (!metal_emulator_thread->matrix_is_exposed) return;
    metal_emulator_thread->matrix_is_exposed = false;
    metal_emulator::exchange(nullptr, 0, nullptr, &kOperation<11>);
  }
}

using Row = float __attribute__((ext_vector_type(8)));

template <class T>
using NativeRow = T __attribute__((ext_vector_type(8), aligned(16)));

METAL_FUNCTION Row load_row(const float* source) {
  return *reinterpret_cast<const NativeRow<float>*>(source);
}
METAL_FUNCTION Row load_row(const half* source) {
  return __builtin_convertvector(*reinterpret_cast<const NativeRow<half>*>(source), Row);
}
METAL_FUNCTION Row load_row(const bfloat* source) {
  using Words = uint __attribute__((ext_vector_type(8)));
  const Words words = __builtin_convertvector(*reinterpret_cast<const NativeRow<ushort>*>(source), Words)
                      << 16;
  return __builtin_bit_cast(Row, words);
}
// The elements of a row one by one, as float, where a product can fetch them from memory.
struct Scalars {
  METAL_FUNCTION explicit Scalars(const float* source) : values(source) {}
  template <class T>
  METAL_FUNCTION explicit Scalars(const T* source) : values(widened) {
    *reinterpret_cast<Row*>(widened) = load_row(source);
  }
  alignas(32) float widened[8];
  const float* values;
};

METAL_FUNCTION void store_row(float* target, Row row) { *reinterpret_cast<NativeRow<float>*>(target) = row; }
METAL_FUNCTION void store_row(half* target, Row row) {
  *reinterpret_cast<NativeRow<half>*>(target) = __builtin_convertvector(row, NativeRow<half>);
}
METAL_FUNCTION void store_row(bfloat* target, Row row) {
  for (int i = 0; i < 8; ++i) target[i] = row[i];
}

}  // namespace matrix

template <class T, int columns, int rows>
struct simdgroup_matrix {
  static_assert(columns == 8 && rows == 8, "Metal has simdgroup matrices of 8 by 8");
  static_assert(is_floating_point_v<T>, "Metal has simdgroup matrices of half, bfloat and float");

  simdgroup_matrix() = default;
  // The diagonal, as Metal defines it; make_filled_simdgroup_matrix fills all.
  METAL_FUNCTION explicit simdgroup_matrix(T diagonal) {
    matrix::settle<T>();
    if (!matrix::is_leader()) return;
    for (int i = 0; i < 64; ++i) elements[i] = i % 9 == 0 ? diagonal : T(0.0f);
  }
  METAL_FUNCTION simdgroup_matrix(const simdgroup_matrix& other) { *this = other; }
  METAL_FUNCTION simdgroup_matrix& operator=(const simdgroup_matrix& other) {
    matrix::settle<T>();
    if (matrix::is_leader()) __builtin_memmove(elements, other.elements, sizeof elements);
    return *this;
  }
  METAL_FUNCTION ~simdgroup_matrix() { matrix::settle<T>(); }

  // This lane's two elements: neighbours in a row, laid out as on Apple's GPUs.
  METAL_FUNCTION vec<T, 2>& thread_elements() {
    static_assert(matrix::kElementsAreUsed<T>);
    simdgroup_matrix* self = this;
    Lanes& lanes = metal_emulator::exchange(&self, sizeof self, nullptr, &kOperation<12>);
    metal_emulator_thread->matrix_is_exposed = true;
    const uint lane = metal_emulator_thread->lane;
    const uint row = (lane / 4 & 4) + lane / 2 % 4;
    const uint column = (lane / 4 & 2) * 2 + lane % 2 * 2;
    return *reinterpret_cast<vec<T, 2>*>(lane_value<simdgroup_matrix*>(lanes, 0)->elements + row * 8 +
                                         column);
  }

  alignas(32) T elements[64];
};

using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;

template <class T, int columns, int rows>
METAL_FUNCTION simdgroup_matrix<T, columns, rows> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, columns, rows> result;
  matrix::settle<T>();
  if (matrix::is_leader()) {
    for (T& element : result.elements) element = value;
  }
  return result;
}

template <class T>
METAL_FUNCTION void simdgroup_load(simdgroup_matrix<T, 8, 8>& target, const T* source,
                                   ulong elements_per_row = 8, ulong2 origin = ulong2{0, 0},
                                   bool transposed = false) {
  matrix::settle<T>();
  if (!matrix::is_leader()) return;
  source += origin.y * elements_per_row + origin.x;
  if (transposed) {
    for (uint i = 0; i < 8; ++i) {
      for (uint j = 0; j < 8; ++j) target.elements[i * 8 + j] = source[j * elements_per_row + i];
    }
    return;
  }
  for (uint i = 0; i < 8; ++i)
    __builtin_memcpy(target.elements + i * 8, source + i * elements_per_row, 8 * sizeof(T));
}

template <class T>
METAL_FUNCTION void simdgroup_store(const simdgroup_matrix<T, 8, 8>& source, T* target,
                                    ulong elements_per_row = 8, ulong2 origin = ulong2{0, 0},
                                    bool transposed = false) {
  matrix::settle<T>();
  if (!matrix::is_leader()) return;
  target += origin.y * elements_per_row + origin.x;
  if (transposed) {
    for (uint i = 0; i < 8; ++i) {
      for (uint j = 0; j < 8; ++j) target[j * elements_per_row + i] = source.elements[i * 8 + j];
    }
    return;
  }
  for (uint i = 0; i < 8; ++i)
    __builtin_memcpy(target + i * elements_per_row, source.elements + i * 8, 8 * sizeof(T));
}

// d = a b + c, summed in float whatever the types.
template <class D, class A, class B, class C>
METAL_FUNCTION void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8>& d,
                                                  const simdgroup_matrix<A, 8, 8>& a,
                                                  const simdgroup_matrix<B, 8, 8>& b,
                                                  const simdgroup_matrix<C, 8, 8>& c) {
  matrix::settle<D>();
  if (!matrix::is_leader()) return;
  matrix::Row right[8];
  matrix::Row result[8];
#pragma clang loop unroll(full)
  for (int k = 0; k < 8; ++k) right[k] = matrix::load_row(b.elements + k * 8);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    const matrix::Scalars left(a.elements + i * 8);
    matrix::Row sum = matrix::load_row(c.elements + i * 8);
#pragma clang loop unroll(full)
    for (int k = 0; k < 8; ++k) sum += left.values[k] * right[k];
    result[i] = sum;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) matrix::store_row(d.elements + i * 8, result[i]);
}

template <class D, class A, class B>
METAL_FUNCTION void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d, const simdgroup_matrix<A, 8, 8>& a,
                                       const simdgroup_matrix<B, 8, 8>& b) {
  simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<float, 8, 8>(0.0f));
}

template <class T>
METAL_FUNCTION simdgroup_matrix<T, 8, 8> operator*(const simdgroup_matrix<T, 8, 8>& a,
                                                   const simdgroup_matrix<T, 8, 8>& b) {
  simdgroup_matrix<T, 8, 8> result;
  simdgroup_multiply(result, a, b);
  return result;
}

}  // namespace metal

#define METAL_EMULATOR_ELEMENTS_ARE_USED                               \
  template <>                                                          \
  inline constexpr bool metal::matrix::kElementsAreUsed<float> = true; \
  template <>                                                          \
  inline constexpr bool metal::matrix::kElementsAreUsed<half> = true;  \
  template <>                                                          \
  inline constexpr bool metal::matrix::kElementsAreUsed<bfloat> = true;
