#pragma once
// Dense products from the platform's BLAS (Accelerate or OpenBLAS), on the thread pool. Matrices are
// row-major; T is float, double, std::complex<float> or std::complex<double>. Sizes, leading dimensions and
// strides of any int64 are right, although the libraries count in 32 bits.

#include <complex>
#include <cstdint>
#include <span>

namespace mlx::cpu {

// Whether the library reaches units that vector instructions do not.
#if defined(MLX_USE_ACCELERATE)
inline constexpr bool kBlasHasMatrixUnits = true;
#else
inline constexpr bool kBlasHasMatrixUnits = false;
#endif

// c = alpha * op(a) @ op(b) + beta * c, where op(a) is (m, k), op(b) is (k, n), c is (m, n) and op transposes
// if asked. ld* is the distance between rows as stored. With beta 0, c is not read: it may hold NaN.
template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

template <class T>
struct GemmOperands {
  const T* a;
  const T* b;
  T* c;
};

// The same product for each item: many small ones side by side, few large ones with all threads each.
template <class T>
void gemm_batch(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, int64_t lda,
                int64_t ldb, T beta, int64_t ldc, std::span<const GemmOperands<T>> items);

// y = alpha * op(a) @ x + beta * y, where a is stored as (rows, columns). With beta 0, y is not read.
template <class T>
void gemv(bool trans_a, int64_t rows, int64_t columns, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy);

// The sum of x[i] * y[i]; nothing is conjugated. The same bits at any number of threads.
template <class T>
T dot(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy);

// While one lives, BLAS calls inside LAPACK may use all threads (OpenBLAS otherwise runs on the thread that
// calls it). For one large factorisation; many small ones go side by side in a parallel_for.
class LapackThreads {
 public:
  LapackThreads();
  ~LapackThreads();
  LapackThreads(const LapackThreads&) = delete;
  LapackThreads& operator=(const LapackThreads&) = delete;
};

}  // namespace mlx::cpu
