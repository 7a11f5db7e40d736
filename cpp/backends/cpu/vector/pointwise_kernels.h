#pragma once
// From a formula to a kernel: the loop around it, and the table row of a compute type. Included by the
// pointwise_*.cpp files, which share out the compute types so that they compile in parallel.

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "backends/cpu/vector/vec_math.h"
#include "backends/cpu/vector_kernels.h"
#include "formulas/activation.h"
#include "formulas/arithmetic.h"
#include "formulas/bitwise.h"
#include "formulas/comparison.h"
#include "formulas/complex.h"
#include "formulas/exponential.h"
#include "formulas/rounding.h"
#include "formulas/special.h"
#include "formulas/trigonometric.h"

namespace mlx::cpu::MLX_ISA {

extern const PointwiseEntry pointwise_uint8[kFormulaCount];
extern const PointwiseEntry pointwise_int32[kFormulaCount];
extern const PointwiseEntry pointwise_int64[kFormulaCount];
extern const PointwiseEntry pointwise_float32[kFormulaCount];
extern const PointwiseEntry pointwise_float64[kFormulaCount];
extern const PointwiseEntry pointwise_complex64[kFormulaCount];
extern const PointwiseEntry pointwise_complex128[kFormulaCount];

// How a formula's result is stored: what it is called, how wide an element is, and by which function.
template <class V, class R>
struct ResultOf;
template <class V>
struct ResultOf<V, V> {
  static constexpr mlx::Result kKind = mlx::Result::Same;
  static constexpr int kBytes = sizeof(V) / V::kLanes;
  MLX_INLINE static void store(V result, void* out) { result.store(out); }
};
template <class V, class E>
struct ResultOf<V, Mask<E>> {
  static constexpr mlx::Result kKind = mlx::Result::Bool;
  static constexpr int kBytes = 1;
  MLX_INLINE static void store(Mask<E> result, void* out) { result.store_bools(out); }
};
template <class V>
struct ResultOf<V, ComplexMask> {
  static constexpr mlx::Result kKind = mlx::Result::Bool;
  static constexpr int kBytes = 1;
  MLX_INLINE static void store(ComplexMask result, void* out) { result.store_bools(out); }
};
template <class R>
struct ResultOf<Complex<R>, R> {
  static constexpr mlx::Result kKind = mlx::Result::Real;
  static constexpr int kBytes = sizeof(R);
  MLX_INLINE static void store(R result, void* out) { std::memcpy(out, &result, sizeof(R)); }
};
template <class E>
struct ResultOf<Vec<E>, ComplexPair<E>> {
  static constexpr mlx::Result kKind = mlx::Result::Complex;
  static constexpr int kBytes = 2 * sizeof(E);
  MLX_INLINE static void store(ComplexPair<E> result, void* out) { result.store(out); }
};

// The first `count` lanes from memory and ones in the rest: a number in every function's domain, and one
// that integers can be divided by.
template <class V>
MLX_INLINE V load_some(const void* from, int count) {
  using E = typename V::Element;
  if (count == 1) {
    E one;
    std::memcpy(&one, from, sizeof(E));
    return V(one);
  }
  V padded(1);
  std::memcpy(&padded, from, count * sizeof(E));
  return padded;
}

template <class V, class F, int... kArgument>
MLX_INLINE void run_pointwise(const void* const* inputs, void* output, int64_t n,
                              std::integer_sequence<int, kArgument...>) {
  using Result = ResultOf<V, decltype(F{}(((void)kArgument, V{})...))>;
  constexpr int64_t width = sizeof(V) / V::kLanes;
  const char* in[] = {static_cast<const char*>(inputs[kArgument])...};
  char* out = static_cast<char*>(output);
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    Result::store(F{}(V::load(in[kArgument] + i * width)...), out + i * Result::kBytes);
  }
  if constexpr (V::kLanes > 1) {
    const int rest = static_cast<int>(n - i);
    if (rest == 0) return;
    char padded[V::kLanes * Result::kBytes];
    Result::store(F{}(load_some<V>(in[kArgument] + i * width, rest)...), padded);
    if (rest == 1) {
      std::memcpy(out + i * Result::kBytes, padded, Result::kBytes);
    } else {
      std::memcpy(out + i * Result::kBytes, padded, rest * Result::kBytes);
    }
  }
}

template <class V, int kArity, class F>
void pointwise_kernel(const void* const* inputs, void* output, int64_t n) {
  run_pointwise<V, F>(inputs, output, n, std::make_integer_sequence<int, kArity>{});
}

template <class V, class F, int... kArgument>
constexpr PointwiseEntry pointwise_entry(F, std::integer_sequence<int, kArgument...>) {
  if constexpr (std::is_invocable_v<F, decltype((void)kArgument, V{})...>) {
    using Result = ResultOf<V, std::invoke_result_t<F, decltype((void)kArgument, V{})...>>;
    return {&pointwise_kernel<V, sizeof...(kArgument), F>, Result::kKind};
  } else {
    return {};
  }
}

}  // namespace mlx::cpu::MLX_ISA
