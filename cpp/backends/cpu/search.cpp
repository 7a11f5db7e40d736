// Looking up and counting: places in sorted rows, histograms of integers, the order of whole rows.

#include <algorithm>
#include <numeric>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/sort_keys.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 4096;

// NaN lies beyond every boundary.
template <class T>
int64_t place_of(const T* boundaries, int64_t n, T value, bool right) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const bool stops = right ? boundaries[middle] > value : boundaries[middle] >= value;
    if (stops)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

void searchsorted(const SearchSorted& k, const Launch& launch) {
  const Tensor &boundaries = launch.in(0), &values = launch.in(1), &out = launch.out();
  const int64_t n = boundaries.size(1), m = values.size(1);
  const int64_t stride = boundaries.size(0) == 1 ? 0 : n;
  visit_compute(values.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_arithmetic_v<T>) {
      parallel_for(0, values.numel(), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          out.data<int64_t>()[i] =
              place_of(boundaries.data<T>() + i / m * stride, n, values.data<T>()[i], k.right);
      });
    } else {
      throw NotImplementedError("searchsorted(): complex numbers have no order");
    }
  });
}

void bincount(const Bincount&, const Launch& launch) {
  const Tensor &in = launch.in(0), &weights = launch.in(1), &out = launch.out();
  const int64_t* x = in.data<int64_t>();
  if (!weights.defined()) {
    std::fill_n(out.data<int64_t>(), out.numel(), int64_t{0});
    for (int64_t i = 0; i < in.numel(); ++i) ++out.data<int64_t>()[x[i]];
    return;
  }
  visit(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      std::fill_n(out.data<T>(), out.numel(), T(0));
      for (int64_t i = 0; i < in.numel(); ++i) out.data<T>()[x[i]] += weights.data<T>()[i];
    }
  });
}

template <class T>
bool row_less(const T* a, const T* b, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const auto p = order_key(a[i]), q = order_key(b[i]);
    if (p != q) return p < q;
  }
  return false;
}

void row_order(const RowOrder&, const Launch& launch) {
  const Tensor &in = launch.in(0), &out = launch.out();
  const int64_t n = in.size(1);
  int64_t* order = out.data<int64_t>();
  std::iota(order, order + out.numel(), int64_t{0});
  visit(in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      throw NotImplementedError("complex numbers have no order");
    } else {
      const T* x = in.data<T>();
      std::stable_sort(order, order + out.numel(),
                       [&](int64_t a, int64_t b) { return row_less(x + a * n, x + b * n, n); });
    }
  });
}

CPU_KERNEL(SearchSorted, searchsorted);
CPU_KERNEL(Bincount, bincount);
CPU_KERNEL(RowOrder, row_order);

}  // namespace
}  // namespace mlx::cpu
