// Products against sums written out, for every type, layout and number of threads.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <complex>
#include <limits>
#include <random>
#include <vector>

#include "backends/cpu/blas.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

// Small whole numbers: their products and sums are exact in every type, so results must be equal.
template <class T>
std::vector<T> whole_numbers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    value = T(static_cast<int>(random() % 9) - 4);
    if constexpr (!std::is_floating_point_v<T>) value += T(0, static_cast<int>(random() % 9) - 4);
  }
  return values;
}

struct Shape {
  int64_t m, n, k;
};

template <class T>
struct Case {
  Case(bool trans_a, bool trans_b, Shape shape)
      : trans_a(trans_a),
        trans_b(trans_b),
        m(shape.m),
        n(shape.n),
        k(shape.k),
        lda((trans_a ? m : k) + 3),
        ldb((trans_b ? k : n) + 1),
        ldc(n + 2),
        a(whole_numbers<T>((trans_a ? k : m) * lda, 1)),
        b(whole_numbers<T>((trans_b ? n : k) * ldb, 2)),
        c(whole_numbers<T>(m * ldc, 3)) {}

  std::vector<T> expected(T alpha, T beta) const {
    std::vector<T> result = c;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        T sum(0);
        for (int64_t d = 0; d < k; ++d) {
          sum += a[static_cast<size_t>(trans_a ? d * lda + i : i * lda + d)] *
                 b[static_cast<size_t>(trans_b ? j * ldb + d : d * ldb + j)];
        }
        T& out = result[static_cast<size_t>(i * ldc + j)];
        out = alpha * sum + (beta == T(0) ? T(0) : beta * out);
      }
    }
    return result;
  }
  void run(T alpha, T beta) {
    gemm(trans_a, trans_b, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  }

  bool trans_a, trans_b;
  int64_t m, n, k, lda, ldb, ldc;
  std::vector<T> a, b, c;
};

template <class T>
class BlasOf : public testing::Test {
 protected:
  ~BlasOf() override { set_num_threads(before_); }

 private:
  const int before_ = num_threads();
};
using Types = testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(BlasOf, Types);

TYPED_TEST(BlasOf, GemmIsTheSumOfProducts) {
  using T = TypeParam;
  for (const int threads : {1, 2, 3, 6}) {
    set_num_threads(threads);
    for (const Shape shape : {Shape{1, 1, 1},
                              {1, 5, 7},
                              {5, 1, 7},
                              {3, 4, 0},
                              {17, 33, 65},
                              {100, 130, 90},
                              {1, 300, 2000},
                              {2000, 1, 300},
                              {0, 3, 2},
                              {3, 0, 2}}) {
      for (int layout = 0; layout < 4; ++layout) {
        Case<T> c(layout & 1, layout & 2, shape);
        const std::vector<T> expected = c.expected(T(2), T(3));
        c.run(T(2), T(3));
        ASSERT_EQ(c.c, expected) << shape.m << ' ' << shape.n << ' ' << shape.k << " layout " << layout;
      }
    }
  }
}

TYPED_TEST(BlasOf, GemmDoesNotReadTheResultWhenBetaIsZero) {
  using T = TypeParam;
  const T nan(std::numeric_limits<double>::quiet_NaN());
  for (const Shape shape : {Shape{1, 9, 7}, {9, 1, 7}, {9, 9, 7}, {9, 9, 0}, {120, 120, 120}}) {
    for (int layout = 0; layout < 4; ++layout) {
      Case<T> c(layout & 1, layout & 2, shape);
      const std::vector<T> expected = c.expected(T(1), T(0));
      for (int64_t i = 0; i < c.m; ++i) {
        for (int64_t j = 0; j < c.n; ++j) c.c[static_cast<size_t>(i * c.ldc + j)] = nan;
      }
      c.run(T(1), T(0));
      ASSERT_EQ(c.c, expected) << shape.m << ' ' << shape.n << ' ' << shape.k << " layout " << layout;
    }
  }
}

TYPED_TEST(BlasOf, GemmCarriesNaNAndInfinity) {
  using T = TypeParam;
  for (const Shape shape : {Shape{1, 20, 20}, {20, 1, 20}, {20, 20, 20}}) {
    for (int layout = 0; layout < 4; ++layout) {
      Case<T> c(layout & 1, layout & 2, shape);
      std::fill(c.a.begin(), c.a.end(), T(std::numeric_limits<double>::infinity()));
      std::fill(c.b.begin(), c.b.end(), T(0));
      c.run(T(1), T(0));
      EXPECT_TRUE(std::isnan(std::abs(c.c[0]))) << "layout " << layout;
    }
  }
}

TYPED_TEST(BlasOf, GemmBatchMultipliesEachItem) {
  using T = TypeParam;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (const Shape shape : {Shape{3, 4, 5}, {130, 140, 150}}) {
      const int64_t count = shape.m < 10 ? 1000 : 5;
      Case<T> c(false, true, shape);
      const std::vector<T> expected = c.expected(T(1), T(0));
      std::vector<std::vector<T>> results(static_cast<size_t>(count), c.c);
      std::vector<GemmOperands<T>> items;
      for (auto& result : results) items.push_back({c.a.data(), c.b.data(), result.data()});
      gemm_batch<T>(false, true, c.m, c.n, c.k, T(1), c.lda, c.ldb, T(0), c.ldc, items);
      for (const auto& result : results) ASSERT_EQ(result, expected);
    }
  }
}

TYPED_TEST(BlasOf, DotIsTheSumOfProducts) {
  using T = TypeParam;
  set_num_threads(2);
  for (const int64_t n : {0, 1, 100, 65536, 65537, 200000}) {
    const std::vector<T> x = whole_numbers<T>(2 * n + 1, 4), y = whole_numbers<T>(3 * n + 1, 5);
    T sum(0);
    for (int64_t i = 0; i < n; ++i) sum += x[static_cast<size_t>(2 * i)] * y[static_cast<size_t>(3 * i)];
    EXPECT_EQ(dot(n, x.data(), 2, y.data(), 3), sum) << n;
  }
}

TEST(Blas, DotHasTheSameBitsAtAnyNumberOfThreads) {
  const int before = num_threads();
  std::vector<float> x(1000003);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  set_num_threads(1);
  const float one = dot(static_cast<int64_t>(x.size()), x.data(), 1, x.data(), 1);
  set_num_threads(3);
  EXPECT_EQ(dot(static_cast<int64_t>(x.size()), x.data(), 1, x.data(), 1), one);
  set_num_threads(before);
}

// Memory that takes pages only where it is written.
class SparseFloats {
 public:
  explicit SparseFloats(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(float)),
        data_(static_cast<float*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
  ~SparseFloats() { munmap(data_, bytes_); }
  float* data() { return data_; }

 private:
  size_t bytes_;
  float* data_;
};

TEST(Blas, TakesRowsFartherApartThan32BitsCount) {
  const int64_t lda = (int64_t{1} << 31) + 5;
  SparseFloats a(2 * lda);
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 3; ++j) a.data()[i * lda + j] = static_cast<float>(10 * i + j);
  }
  const std::vector<float> b{1, 2, 3, 4, 5, 6};
  std::vector<float> c(4, 100);
  gemm(false, false, 2, 2, 3, 1.0F, a.data(), lda, b.data(), 2, 1.0F, c.data(), 2);
  EXPECT_EQ(c, (std::vector<float>{113, 116, 203, 236}));
  std::vector<float> y(2);
  gemv(false, 2, 3, 1.0F, a.data(), lda, b.data(), 2, 0.0F, y.data(), 1);
  EXPECT_EQ(y, (std::vector<float>{13, 103}));
}

TEST(Blas, LapackThreadsNest) {
  const LapackThreads outer;
  const LapackThreads inner;
  Case<double> c(false, false, {200, 200, 200});
  const std::vector<double> expected = c.expected(1, 0);
  c.run(1, 0);
  EXPECT_EQ(c.c, expected);
}

}  // namespace
}  // namespace mlx::cpu
