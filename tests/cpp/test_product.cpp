// The packed product against sums written out: sizes around tiles and blocks, strides, accumulation,
// finishing.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "backends/cpu/matrix_product.h"
#include "backends/cpu/thread_pool.h"
#include "base/half.h"

namespace mlx::cpu {
namespace {

// Whole numbers: sums are exact in float32, whatever their order.
template <class T>
std::vector<T> whole_numbers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(T(static_cast<float>(static_cast<int>(random() % 5) - 2)));
  return values;
}

struct Strides {
  int64_t line, depth;
};

// left (rows, depth) @ right (depth, columns), operands in any of four layouts.
template <class T>
struct Case {
  Case(int64_t m, int64_t n, int64_t k, int layout)
      : rows(m),
        columns(n),
        depth(k),
        a_strides(strides(layout % 4, m, k)),
        b_strides(strides(layout / 4, n, k)),
        a(whole_numbers<T>(m * a_strides.line + k * a_strides.depth + 1, 1)),
        b(whole_numbers<T>(n * b_strides.line + k * b_strides.depth + 1, 2)),
        c(whole_numbers<T>(m * (n + 3), 3)) {}

  static Strides strides(int layout, int64_t lines, int64_t depths) {
    if (layout == 0) return {depths, 1};
    if (layout == 1) return {1, lines};
    return layout == 2 ? Strides{2 * depths + 1, 2} : Strides{0, 1};  // the last: one line for all
  }
  std::vector<float> expected(bool accumulate) const {
    std::vector<float> result;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        float sum = accumulate ? static_cast<float>(c[static_cast<size_t>(i * (columns + 3) + j)]) : 0.0f;
        for (int64_t d = 0; d < depth; ++d)
          sum += static_cast<float>(a[static_cast<size_t>(i * a_strides.line + d * a_strides.depth)]) *
                 static_cast<float>(b[static_cast<size_t>(j * b_strides.line + d * b_strides.depth)]);
        result.push_back(static_cast<float>(T(sum)));
      }
    return result;
  }
  std::vector<float> run(DType dtype, bool accumulate, const ProductKernels& kernels) {
    const MatrixSource left(a.data(), dtype, a_strides.line, a_strides.depth),
        right(b.data(), dtype, b_strides.line, b_strides.depth);
    const MatrixTarget target(c.data(), dtype, columns + 3);
    const std::vector<T> before = c;
    multiply({kernels, rows, columns, depth, left, right, target, accumulate});
    std::vector<float> result;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns + 3; ++j) {
        const auto at = static_cast<size_t>(i * (columns + 3) + j);
        if (j < columns)
          result.push_back(static_cast<float>(c[at]));
        else
          EXPECT_EQ(static_cast<float>(c[at]), static_cast<float>(before[at])) << "written beyond a row";
      }
    return result;
  }

  int64_t rows, columns, depth;
  Strides a_strides, b_strides;
  std::vector<T> a, b, c;
};

class Products : public testing::Test {
 protected:
  ~Products() override { set_num_threads(before_); }

  template <class T>
  void expect_exact(DType dtype, const ProductKernels& kernels = product_kernels()) {
    const int64_t tile = kernels.rows, panel = kernels.panel_columns(), lanes = kernels.lanes;
    const std::vector<int64_t> shapes[3] = {
        {1, tile - 1, tile + 1, 5 * tile + 2},
        {1, lanes - 1, lanes + 1, panel, 2 * panel + 1, 6 * panel + 5, 7 * panel + lanes},
        {0, 1, 2, lanes + 1, 383, 769}};
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      for (const int64_t m : shapes[0])
        for (const int64_t n : shapes[1])
          for (const int64_t k : shapes[2])
            for (int layout = 0; layout < 16; layout += threads) {
              const bool accumulate = layout % 2 == 1;
              Case<T> c(m, n, k, layout);
              const std::vector<float> expected = c.expected(accumulate);
              ASSERT_EQ(c.run(dtype, accumulate, kernels), expected)
                  << m << ' ' << n << ' ' << k << " layout " << layout << " threads " << threads;
            }
    }
  }

 private:
  const int before_ = num_threads();
};

TEST_F(Products, OfFloat32AreExact) { expect_exact<float>(DType::Float32); }
TEST_F(Products, OfBFloat16AreRoundedOnce) { expect_exact<BFloat16>(DType::BFloat16); }
TEST_F(Products, OfPairsOfBFloat16AreRoundedOnce) {
  if (!bfloat16_pair_kernels()) GTEST_SKIP() << "the processor has no instructions for pairs";
  expect_exact<BFloat16>(DType::BFloat16, *bfloat16_pair_kernels());
}
TEST_F(Products, OfFloat16AreRoundedOnce) { expect_exact<Half>(DType::Float16); }

TEST_F(Products, DoNotReadTheResultUnlessTheyAccumulate) {
  Case<float> c(20, 70, 400, 0);
  const std::vector<float> expected = c.expected(false);
  std::fill(c.c.begin(), c.c.end(), std::numeric_limits<float>::quiet_NaN());
  const MatrixSource left(c.a.data(), DType::Float32, 400, 1), right(c.b.data(), DType::Float32, 400, 1);
  const MatrixTarget target(c.c.data(), DType::Float32, 73);
  multiply({product_kernels(), 20, 70, 400, left, right, target});
  for (int64_t i = 0; i < 20; ++i)
    for (int64_t j = 0; j < 70; ++j)
      ASSERT_EQ(c.c[static_cast<size_t>(i * 73 + j)], expected[static_cast<size_t>(i * 70 + j)]);
}

// Doubles every result and counts how often it was seen.
class Doubling : public ProductEnding {
 public:
  explicit Doubling(std::vector<int>& seen) : seen_(seen) {}
  std::unique_ptr<Finish> start() const override { return std::make_unique<Each>(seen_); }

 private:
  struct Each : Finish {
    explicit Each(std::vector<int>& counts) : seen(counts) {}
    void run(float* sums, int64_t first, int64_t n) override {
      for (int64_t i = 0; i < n; ++i) {
        sums[i] *= 2;
        ++seen[static_cast<size_t>(first + i)];
      }
    }
    std::vector<int>& seen;
  };

  std::vector<int>& seen_;
};

template <class T>
void expect_each_finished_once(DType dtype, int64_t m, int64_t n, int64_t k) {
  const std::vector<T> a = whole_numbers<T>(m * k, 1), b = whole_numbers<T>(k * n, 2);
  std::vector<T> plain(static_cast<size_t>(m * n)), doubled = plain;
  std::vector<int> seen(static_cast<size_t>(m * n), 0);
  const MatrixSource left(a.data(), dtype, k, 1), right(b.data(), dtype, 1, n);
  const MatrixTarget target(plain.data(), dtype, n), other(doubled.data(), dtype, n);
  const Doubling doubling(seen);
  multiply({product_kernels(), m, n, k, left, right, target});
  multiply({.kernels = product_kernels(),
            .rows = m,
            .columns = n,
            .depth = k,
            .left = left,
            .right = right,
            .target = other,
            .ending = &doubling});
  for (size_t i = 0; i < plain.size(); ++i) {
    ASSERT_EQ(seen[i], 1);
    ASSERT_EQ(static_cast<float>(doubled[i]), 2 * static_cast<float>(plain[i]));
  }
}

TEST_F(Products, FinishEachResultOnce) {
  set_num_threads(3);
  for (const int64_t k : {7, 1000}) {
    expect_each_finished_once<float>(DType::Float32, 70, 500, k);
    expect_each_finished_once<float>(DType::Float32, 300, 20, k);
    expect_each_finished_once<BFloat16>(DType::BFloat16, 70, 500, k);
  }
}

}  // namespace
}  // namespace mlx::cpu
