#include "backends/cpu/blas.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <vector>

#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

#if defined(MLX_USE_ACCELERATE)
#include "backends/cpu/accelerate.h"
#else
#include <cblas.h>
#define MLX_CBLAS(name) scipy_cblas_##name
#endif

namespace mlx::cpu {
namespace {

using Complex64 = std::complex<float>;
using Complex128 = std::complex<double>;

// One name for each routine, chosen by type.
template <class T>
struct Blas;
template <>
struct Blas<float> {
  static constexpr auto gemm = MLX_CBLAS(sgemm);
  static constexpr auto gemv = MLX_CBLAS(sgemv);
};
template <>
struct Blas<double> {
  static constexpr auto gemm = MLX_CBLAS(dgemm);
  static constexpr auto gemv = MLX_CBLAS(dgemv);
};
template <>
struct Blas<Complex64> {
  static constexpr auto gemm = MLX_CBLAS(cgemm);
  static constexpr auto gemv = MLX_CBLAS(cgemv);
};
template <>
struct Blas<Complex128> {
  static constexpr auto gemm = MLX_CBLAS(zgemm);
  static constexpr auto gemv = MLX_CBLAS(zgemv);
};
float dot_of(int n, const float* x, int incx, const float* y, int incy) {
  return MLX_CBLAS(sdot)(n, x, incx, y, incy);
}
double dot_of(int n, const double* x, int incx, const double* y, int incy) {
  return MLX_CBLAS(ddot)(n, x, incx, y, incy);
}
Complex64 dot_of(int n, const Complex64* x, int incx, const Complex64* y, int incy) {
  Complex64 result;
  MLX_CBLAS(cdotu_sub)(n, x, incx, y, incy, &result);
  return result;
}
Complex128 dot_of(int n, const Complex128* x, int incx, const Complex128* y, int incy) {
  Complex128 result;
  MLX_CBLAS(zdotu_sub)(n, x, incx, y, incy, &result);
  return result;
}

#if defined(MLX_USE_ACCELERATE)

// Accelerate decides about threads itself (its matrix units are shared by the cores).
constexpr bool kLibraryUsesThreads = true;
void set_library_threads(int) {}

#else

constexpr bool kLibraryUsesThreads = false;
void set_library_threads(int n) { scipy_openblas_set_num_threads(n); }

// OpenBLAS runs on the thread that calls it, and products are split here. Its own threads would compete with
// the pool's. Its callback for foreign pools (openblas_set_threads_callback_function) is no way out: the
// pieces of one product wait for each other, so that a pool which is busy elsewhere deadlocks, and it was
// not faster (docs/performance.md).
[[maybe_unused]] const bool g_one_thread_a_call = (set_library_threads(1), true);

#endif

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
// Products below this many multiplications take less time than a second thread saves.
constexpr int64_t kMinParallelWork = int64_t{1} << 18;
// Tiles start at multiples of this, so that the library's inner kernels run on whole blocks.
constexpr int64_t kTileStep = 16;
constexpr int64_t kDotPiece = int64_t{1} << 16;

// A complex scalar goes by address, a real one by value.
float scalar(const float& x) { return x; }
double scalar(const double& x) { return x; }
const Complex64* scalar(const Complex64& x) { return &x; }
const Complex128* scalar(const Complex128& x) { return &x; }

template <class T>
constexpr int64_t kFlopsWeight = 1;
template <>
constexpr int64_t kFlopsWeight<double> = 2;
template <>
constexpr int64_t kFlopsWeight<Complex64> = 4;
template <>
constexpr int64_t kFlopsWeight<Complex128> = 8;

// All that describes a product but its three pointers.
template <class T>
struct Product {
  bool trans_a, trans_b;
  int64_t m, n, k;
  T alpha;
  int64_t lda, ldb;
  T beta;
  int64_t ldc;

  const T* a_at(const T* a, int64_t row, int64_t depth) const {
    return a + (trans_a ? depth * lda + row : row * lda + depth);
  }
  const T* b_at(const T* b, int64_t depth, int64_t column) const {
    return b + (trans_b ? column * ldb + depth : depth * ldb + column);
  }
  bool fits_library() const { return std::max({m, n, k, lda, ldb, ldc}) <= kMaxInt; }
  // In multiplications of floats; saturates, since only its size matters.
  double work() const {
    return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * kFlopsWeight<T>;
  }
  void run(const T* a, const T* b, T* c) const;
};

template <class T>
void call_gemv(bool trans, int64_t rows, int64_t columns, T alpha, const T* a, int64_t lda, const T* x,
               int64_t incx, T beta, T* y, int64_t incy) {
  Blas<T>::gemv(CblasRowMajor, trans ? CblasTrans : CblasNoTrans, static_cast<int>(rows),
                static_cast<int>(columns), scalar(alpha), a, static_cast<int>(lda), x, static_cast<int>(incx),
                scalar(beta), y, static_cast<int>(incy));
}

// One call of the library, on this thread. A leading dimension that a single row makes meaningless may be
// smaller than the library's check wants.
template <class T>
void Product<T>::run(const T* a, const T* b, T* c) const {
  const int64_t a_columns = trans_a ? m : k;
  const int64_t b_columns = trans_b ? k : n;
  Blas<T>::gemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans,
                static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), scalar(alpha), a,
                static_cast<int>(std::max({lda, a_columns, int64_t{1}})), b,
                static_cast<int>(std::max({ldb, b_columns, int64_t{1}})), scalar(beta), c,
                static_cast<int>(std::max({ldc, n, int64_t{1}})));
}

template <class T>
void scale(int64_t m, int64_t n, T beta, T* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
  }
}

// For what the library's 32-bit counts cannot say: blocks are copied together and multiplied there.
template <class T>
void run_in_blocks(const Product<T>& p, const T* a, const T* b, T* c) {
  constexpr int64_t kBlock = 256;
  std::vector<T> a_block(kBlock * kBlock), b_block(kBlock * kBlock), c_block(kBlock * kBlock);
  scale(p.m, p.n, p.beta, c, p.ldc);
  for (int64_t i = 0; i < p.m; i += kBlock) {
    for (int64_t j = 0; j < p.n; j += kBlock) {
      const int64_t m = std::min(kBlock, p.m - i), n = std::min(kBlock, p.n - j);
      for (int64_t d = 0; d < p.k; d += kBlock) {
        const int64_t k = std::min(kBlock, p.k - d);
        for (int64_t r = 0; r < m; ++r) {
          for (int64_t s = 0; s < k; ++s) a_block[static_cast<size_t>(r * k + s)] = *p.a_at(a, i + r, d + s);
        }
        for (int64_t s = 0; s < k; ++s) {
          for (int64_t q = 0; q < n; ++q) b_block[static_cast<size_t>(s * n + q)] = *p.b_at(b, d + s, j + q);
        }
        const Product<T> block{false, false, m, n, k, p.alpha, k, n, d == 0 ? T(0) : T(1), n};
        block.run(a_block.data(), b_block.data(), c_block.data());
      }
      for (int64_t r = 0; r < m; ++r) {
        for (int64_t q = 0; q < n; ++q) c[(i + r) * p.ldc + j + q] += c_block[static_cast<size_t>(r * n + q)];
      }
    }
  }
}

// Into how many rows and columns of tiles to cut the result: a tile a thread, of the shape that reads least.
struct Grid {
  int64_t rows, columns;
};

Grid choose_grid(int64_t m, int64_t n, int64_t threads) {
  Grid best{1, threads};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t rows = threads; rows >= 1; --rows) {
    if (threads % rows) continue;
    const int64_t columns = threads / rows;
    const double reads = static_cast<double>(ceil_div(m, rows)) + static_cast<double>(ceil_div(n, columns));
    if (reads < least) {
      least = reads;
      best = {rows, columns};
    }
  }
  return best;
}

template <class T>
void run_in_tiles(const Product<T>& p, const T* a, const T* b, T* c) {
  const Grid grid = choose_grid(p.m, p.n, num_threads());
  const int64_t height = round_up(ceil_div(p.m, grid.rows), kTileStep);
  const int64_t width = round_up(ceil_div(p.n, grid.columns), kTileStep);
  const int64_t columns = ceil_div(p.n, width);
  parallel_for(0, ceil_div(p.m, height) * columns, 1, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t i = tile / columns * height, j = tile % columns * width;
      Product<T> part = p;
      part.m = std::min(height, p.m - i);
      part.n = std::min(width, p.n - j);
      part.run(p.a_at(a, i, 0), p.b_at(b, 0, j), c + i * p.ldc + j);
    }
  });
}

template <class T>
void run(const Product<T>& p, const T* a, const T* b, T* c) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return scale(p.m, p.n, p.beta, c, p.ldc);
  if (!p.fits_library()) return run_in_blocks(p, a, b, c);
  if (p.n == 1) {
    return gemv(p.trans_a, p.trans_a ? p.k : p.m, p.trans_a ? p.m : p.k, p.alpha, a, p.lda, b,
                p.trans_b ? 1 : p.ldb, p.beta, c, p.ldc);
  }
  if (p.m == 1) {
    return gemv(!p.trans_b, p.trans_b ? p.n : p.k, p.trans_b ? p.k : p.n, p.alpha, b, p.ldb, a,
                p.trans_a ? p.lda : 1, p.beta, c, int64_t{1});
  }
  if (kLibraryUsesThreads || p.work() < kMinParallelWork || in_parallel_region()) return p.run(a, b, c);
  run_in_tiles(p, a, b, c);
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  run(Product<T>{trans_a, trans_b, m, n, k, alpha, lda, ldb, beta, ldc}, a, b, c);
}

template <class T>
void gemm_batch(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, int64_t lda,
                int64_t ldb, T beta, int64_t ldc, std::span<const GemmOperands<T>> items) {
  const Product<T> p{trans_a, trans_b, m, n, k, alpha, lda, ldb, beta, ldc};
  const auto count = static_cast<int64_t>(items.size());
  const double work = std::max(p.work(), 1.0);
  // Few large items keep all threads busy better if each is split.
  const bool split_each = count < 4 * num_threads() && count % num_threads() && work >= 8 * kMinParallelWork;
  const auto grain = split_each ? count : static_cast<int64_t>(std::max(1.0, kMinParallelWork / 2 / work));
  parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const GemmOperands<T>& item = items[static_cast<size_t>(i)];
      run(p, item.a, item.b, item.c);
    }
  });
}

template <class T>
void gemv(bool trans_a, int64_t rows, int64_t columns, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  const int64_t outputs = trans_a ? columns : rows;
  const int64_t depth = trans_a ? rows : columns;
  if (outputs == 0) return;
  if (depth == 0) return scale(outputs, int64_t{1}, beta, y, incy);
  if (std::max({rows, columns, lda, incx, incy}) > kMaxInt) {
    return run_in_blocks(Product<T>{trans_a, false, outputs, 1, depth, alpha, lda, incx, beta, incy}, a, x,
                         y);
  }
  const int64_t row_step = std::max({lda, columns, int64_t{1}});
  const int64_t grain =
      std::max(kTileStep, ceil_div(kMinParallelWork / kFlopsWeight<T>, depth * kTileStep) * kTileStep);
  parallel_for(0, outputs, grain, [&](int64_t begin, int64_t end) {
    const int64_t part = end - begin;
    // The library multiplies y by beta, and 0 * NaN is NaN.
    if (beta == T(0)) scale(part, int64_t{1}, T(0), y + begin * incy, incy);
    call_gemv(trans_a, trans_a ? rows : part, trans_a ? part : columns, alpha,
              a + (trans_a ? begin : begin * lda), row_step, x, incx, beta, y + begin * incy, incy);
  });
}

template <class T>
T dot(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy) {
  const auto piece = [&](int64_t begin, int64_t end) {
    const T* from_x = x + begin * incx;
    const T* from_y = y + begin * incy;
    if (std::max(incx, incy) <= kMaxInt) {
      return dot_of(static_cast<int>(end - begin), from_x, static_cast<int>(incx), from_y,
                    static_cast<int>(incy));
    }
    T sum(0);
    for (int64_t i = 0; i < end - begin; ++i) sum += from_x[i * incx] * from_y[i * incy];
    return sum;
  };
  if (n <= kDotPiece) return n > 0 ? piece(0, n) : T(0);
  // Pieces of a fixed size, added in a fixed order.
  std::vector<T> sums(static_cast<size_t>(ceil_div(n, kDotPiece)));
  parallel_for(0, static_cast<int64_t>(sums.size()), 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      sums[static_cast<size_t>(i)] = piece(i * kDotPiece, std::min(n, (i + 1) * kDotPiece));
    }
  });
  T sum(0);
  for (const T& s : sums) sum += s;
  return sum;
}

namespace {
std::mutex g_lapack_mutex;
int g_lapack_users = 0;
}  // namespace

LapackThreads::LapackThreads() {
  const std::lock_guard lock(g_lapack_mutex);
  if (g_lapack_users++ == 0 && !in_parallel_region()) set_library_threads(num_threads());
}

LapackThreads::~LapackThreads() {
  const std::lock_guard lock(g_lapack_mutex);
  if (--g_lapack_users == 0) set_library_threads(1);
}

template void gemm(bool, bool, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                   float, float*, int64_t);
template void gemm_batch(bool, bool, int64_t, int64_t, int64_t, float, int64_t, int64_t, float, int64_t,
                         std::span<const GemmOperands<float>>);
template void gemv(bool, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float, float*,
                   int64_t);
template float dot(int64_t, const float*, int64_t, const float*, int64_t);

template void gemm(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t, const double*,
                   int64_t, double, double*, int64_t);
template void gemm_batch(bool, bool, int64_t, int64_t, int64_t, double, int64_t, int64_t, double, int64_t,
                         std::span<const GemmOperands<double>>);
template void gemv(bool, int64_t, int64_t, double, const double*, int64_t, const double*, int64_t, double,
                   double*, int64_t);
template double dot(int64_t, const double*, int64_t, const double*, int64_t);

template void gemm(bool, bool, int64_t, int64_t, int64_t, Complex64, const Complex64*, int64_t,
                   const Complex64*, int64_t, Complex64, Complex64*, int64_t);
template void gemm_batch(bool, bool, int64_t, int64_t, int64_t, Complex64, int64_t, int64_t, Complex64,
                         int64_t, std::span<const GemmOperands<Complex64>>);
template void gemv(bool, int64_t, int64_t, Complex64, const Complex64*, int64_t, const Complex64*, int64_t,
                   Complex64, Complex64*, int64_t);
template Complex64 dot(int64_t, const Complex64*, int64_t, const Complex64*, int64_t);

template void gemm(bool, bool, int64_t, int64_t, int64_t, Complex128, const Complex128*, int64_t,
                   const Complex128*, int64_t, Complex128, Complex128*, int64_t);
template void gemm_batch(bool, bool, int64_t, int64_t, int64_t, Complex128, int64_t, int64_t, Complex128,
                         int64_t, std::span<const GemmOperands<Complex128>>);
template void gemv(bool, int64_t, int64_t, Complex128, const Complex128*, int64_t, const Complex128*, int64_t,
                   Complex128, Complex128*, int64_t);
template Complex128 dot(int64_t, const Complex128*, int64_t, const Complex128*, int64_t);

}  // namespace mlx::cpu
