// Running sums, products, extremes and log-sums along a dimension. Totals of floats run in double.

#include <cmath>
#include <memory>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32768;
constexpr int64_t kColumns = 256;  // inner elements that are scanned side by side

template <class T>
struct TotalOf {
  using type = T;
};
template <>
struct TotalOf<float> {
  using type = double;
};
template <>
struct TotalOf<std::complex<float>> {
  using type = std::complex<double>;
};

struct Shape3 {
  int64_t outer, n, inner;
};

// Calls body(first element of the line, count of columns) for blocks of lines, in parallel.
template <class Body>
void for_lines(const Shape3& s, Body&& body) {
  const int64_t width = std::min(s.inner, kColumns), blocks = ceil_div(s.inner, width);
  parallel_for(0, s.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(s.n * width, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t column = i % blocks * width;
                   body(i / blocks * s.n * s.inner + column, std::min(width, s.inner - column));
                 }
               });
}

// Rows that are scanned at once, since each total waits for the one before. More would share too few cache
// lines where rows are a power of two long.
constexpr int64_t kRows = 4;

// The scan of kCount rows of n elements, one behind the other.
template <int64_t kCount, class T, class A, class Step>
void running_rows(int64_t n, bool reverse, const T* x, T* out, A first, Step step) {
  A total[kCount];
  std::fill_n(total, kCount, first);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t at = reverse ? n - 1 - k : k;
    for (int64_t r = 0; r < kCount; ++r) {
      total[r] = step(total[r], static_cast<A>(x[r * n + at]));
      out[r * n + at] = static_cast<T>(total[r]);
    }
  }
}

template <class T, class Step>
void running(const Shape3& s, bool reverse, const T* x, T* out, typename TotalOf<T>::type first, Step step) {
  using A = typename TotalOf<T>::type;
  if (s.inner == 1)
    return parallel_for(0, s.outer, std::max(kRows, kGrain / std::max<int64_t>(s.n, 1)),
                        [&](int64_t begin, int64_t end) {
                          int64_t r = begin;
                          for (; r + kRows <= end; r += kRows)
                            running_rows<kRows>(s.n, reverse, x + r * s.n, out + r * s.n, first, step);
                          for (; r < end; ++r)
                            running_rows<1>(s.n, reverse, x + r * s.n, out + r * s.n, first, step);
                        });
  for_lines(s, [&](int64_t start, int64_t width) {
    A total[kColumns];
    std::fill_n(total, width, first);
    for (int64_t k = 0; k < s.n; ++k) {
      const int64_t at = start + (reverse ? s.n - 1 - k : k) * s.inner;
      for (int64_t j = 0; j < width; ++j) {
        total[j] = step(total[j], static_cast<A>(x[at + j]));
        out[at + j] = static_cast<T>(total[j]);
      }
    }
  });
}

// The last of equal extremes is the one whose place is kept, and NaN stays.
template <class T>
void running_extreme(const Shape3& s, bool largest, const T* x, T* out, int64_t* places) {
  for_lines(s, [&](int64_t start, int64_t width) {
    T best[kColumns];
    int64_t place[kColumns];
    for (int64_t k = 0; k < s.n; ++k) {
      const int64_t at = start + k * s.inner;
      for (int64_t j = 0; j < width; ++j) {
        const T v = x[at + j];
        const bool holds_nan = k > 0 && best[j] != best[j];
        if (k == 0 || v != v || (!holds_nan && (largest ? v >= best[j] : v <= best[j]))) {
          best[j] = v;
          place[j] = k;
        }
        out[at + j] = best[j];
        places[at + j] = place[j];
      }
    }
  });
}

double log_add(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
}

std::complex<double> log_add(std::complex<double> a, std::complex<double> b) {
  const std::complex<double> high = a.real() >= b.real() ? a : b, low = a.real() >= b.real() ? b : a;
  if (low.real() == -std::numeric_limits<double>::infinity()) return high;
  return high + std::log(1.0 + std::exp(low - high));
}

template <class T>
void scan_as(const Scan& k, const Launch& launch, const Shape3& s) {
  using A = typename TotalOf<T>::type;
  const T* x = launch.in(0).data<T>();
  T* out = launch.out().data<T>();
  constexpr bool real = std::is_arithmetic_v<T>;
  switch (k.kind) {
    case Scanning::Sum:
      return running(s, k.reverse, x, out, A(0), [](A a, A b) { return a + b; });
    case Scanning::Prod:
      return running(s, k.reverse, x, out, A(1), [](A a, A b) { return a * b; });
    case Scanning::LogSumExp:
      if constexpr (!std::is_integral_v<T>)
        return running(s, k.reverse, x, out, A(-std::numeric_limits<double>::infinity()),
                       [](A a, A b) { return log_add(a, b); });
      break;
    default:
      if constexpr (real)
        return running_extreme(s, k.kind == Scanning::Max, x, out, launch.out(1).data<int64_t>());
  }
  throw NotImplementedError("this scan is not implemented for '", short_name(launch.in(0).dtype()), "'");
}

void scan(const Scan& k, const Launch& launch) {
  const Tensor& in = launch.in(0);
  visit_compute(in.dtype(),
                [&](auto zero) { scan_as<decltype(zero)>(k, launch, {in.size(0), in.size(1), in.size(2)}); });
}

CPU_KERNEL(Scan, scan);

}  // namespace
}  // namespace mlx::cpu
