// Matrix products: BLAS for floating-point and complex types, the packed product for half types and for
// strides that BLAS does not know. Integers are multiplied in double where that is exact, else by plain
// loops.

#include <bit>
#include <limits>

#include "backends/cpu/blas.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/matrix_stacks.h"
#include "backends/cpu/product_endings.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

// A stack of matrices as BLAS wants it: rows a distance apart, elements adjacent, perhaps transposed.
struct Matrices {
  Tensor tensor;  // keeps a packed copy alive
  bool transposed = false;
  int64_t leading = 1;
};

Tensor packed(const Tensor& t, DType dtype) {
  Tensor copy = allocate(t.shape(), dtype);
  copy_elements(copy, t);
  return copy;
}

Matrices as_matrices(const Tensor& t, DType compute) {
  int64_t rows = t.size(-2), columns = t.size(-1);
  if (t.dtype() == compute) {
    if (has_rows(t, -2, -1))
      return {t, false, t.size(-2) == 1 ? std::max<int64_t>(columns, 1) : t.stride(-2)};
    if (has_rows(t, -1, -2)) return {t, true, t.size(-1) == 1 ? std::max<int64_t>(rows, 1) : t.stride(-1)};
  }
  return {packed(t, compute), false, std::max<int64_t>(columns, 1)};
}

template <class T>
void blas_product(const Matrices& a, const Matrices& b, const Tensor& out, int64_t m, int64_t n, int64_t k,
                  T beta) {
  int64_t count = out.numel() / (m * n);
  std::vector<GemmOperands<T>> items;
  items.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    items.push_back({a.tensor.data<T>() + offset_of(a.tensor, i), b.tensor.data<T>() + offset_of(b.tensor, i),
                     out.data<T>() + i * m * n});
  if (count == 1)
    gemm<T>(a.transposed, b.transposed, m, n, k, T(1), items[0].a, a.leading, items[0].b, b.leading, beta,
            items[0].c, n);
  else
    gemm_batch<T>(a.transposed, b.transposed, m, n, k, T(1), a.leading, b.leading, beta, n, items);
}

// Integers wrap around, so they are multiplied as unsigned numbers.
template <class T>
void integer_product(const Tensor& a, const Tensor& b, const Tensor& out, int64_t m, int64_t n, int64_t k,
                     bool add) {
  using U = std::make_unsigned_t<T>;
  parallel_for(0, out.numel() / n, std::max<int64_t>(1, 32768 / std::max<int64_t>(n * k, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   U* c = out.data<U>() + row * n;
                   const U* x = a.data<U>() + row * k;
                   const U* y = b.data<U>() + row / m * k * n;
                   if (!add) std::fill_n(c, n, U(0));
                   for (int64_t p = 0; p < k; ++p)
                     for (int64_t j = 0; j < n; ++j) c[j] = static_cast<U>(c[j] + x[p] * y[p * n + j]);
                 }
               });
}

constexpr int64_t kProductsWorthDouble = 1 << 12;

// The number of bits that the elements' magnitudes take.
template <class T>
int magnitude_bits(const Tensor& packed) {
  const T* x = packed.data<T>();
  std::make_unsigned_t<T> bits = 0;
  for (int64_t i = 0; i < packed.numel(); ++i)
    bits |= static_cast<std::make_unsigned_t<T>>(x[i] < 0 ? ~x[i] : x[i]);
  return std::bit_width(bits) + std::is_signed_v<T>;  // ~x is one less than -x
}

// Whether double holds all sums of k products of such integers.
template <class T>
bool is_exact_in_double(const Tensor& a, const Tensor& b, int64_t k) {
  const int sum = std::bit_width(static_cast<uint64_t>(k));
  return magnitude_bits<T>(a) + magnitude_bits<T>(b) + sum <= std::numeric_limits<double>::digits;
}

void product_in_double(const Tensor& a, const Tensor& b, const Tensor& out, int64_t m, int64_t n, int64_t k) {
  const Tensor sums = allocate(out.shape(), DType::Float64), whole = allocate(out.shape(), DType::Int64);
  blas_product<double>(as_matrices(a, DType::Float64), as_matrices(b, DType::Float64), sums, m, n, k, 0.0);
  copy_elements(whole, sums);
  copy_elements(out, whole);  // wraps
}

void matmul(const MatMul&, const Launch& launch) {
  const Tensor &out = launch.out(), &a = launch.in(0), &b = launch.in(1);
  if (out.numel() == 0) return;
  int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const bool add = launch.inputs.size() > 2;
  if (out.dtype() == a.dtype() && is_packed(a, b)) {
    if (!add) return multiply_packed(a, b, out.raw(), nullptr);
    const AddendEnding ending(launch.in(2), out.shape(), broadcast_strides(launch.in(2), out.shape()));
    return multiply_packed(a, b, out.raw(), &ending);
  }
  DType compute = compute_type(out.dtype());
  Tensor target = compute == out.dtype() ? out : allocate(out.shape(), compute);
  if (add) copy_elements(target, launch.in(2));
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      const Tensor x = packed(a, compute), y = packed(b, compute);
      const bool worthwhile = !add && out.numel() * k >= kProductsWorthDouble;
      if (worthwhile && is_exact_in_double<T>(x, y, k))
        product_in_double(x, y, target, m, n, k);
      else
        integer_product<T>(x, y, target, m, n, k, add);
    } else
      blas_product<T>(as_matrices(a, compute), as_matrices(b, compute), target, m, n, k, T(add ? 1 : 0));
  });
  if (!target.is(out)) copy_elements(out, target);
}

CPU_KERNEL(MatMul, matmul);

}  // namespace
}  // namespace mlx::cpu
