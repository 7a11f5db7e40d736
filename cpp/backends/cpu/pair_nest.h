#pragma once
// The dimensions that two tensors of one shape are walked through together, for kernels that move elements.

#include <cstdint>

#include "base/small_vector.h"

namespace mlx::cpu {

struct PairNest {
  Shape shape;          // neighbouring dimensions merged where both tensors allow it, none of size one
  Shape first, second;  // the strides, in elements
  int64_t count = 1;    // of elements

  PairNest() = default;
  PairNest(std::span<const int64_t> sizes, std::span<const int64_t> a, std::span<const int64_t> b) {
    for (size_t d = 0; d < sizes.size(); ++d) {
      count *= sizes[d];
      if (sizes[d] == 1) continue;
      if (!shape.empty() && first.back() == a[d] * sizes[d] && second.back() == b[d] * sizes[d]) {
        shape.back() *= sizes[d];
        first.back() = a[d];
        second.back() = b[d];
      } else {
        shape.push_back(sizes[d]);
        first.push_back(a[d]);
        second.push_back(b[d]);
      }
    }
  }

  int64_t inner() const { return shape.empty() ? 1 : shape.back(); }
  int64_t first_step() const { return shape.empty() ? 1 : first.back(); }
  int64_t second_step() const { return shape.empty() ? 1 : second.back(); }
  bool one_run() const { return shape.size() <= 1; }

  // Walks elements [start, start + n) in row-major order as runs along the innermost dimension:
  // run(offset in the first tensor, offset in the second, length).
  template <class Run>
  void for_runs(int64_t start, int64_t n, Run&& run) const {
    if (n <= 0) return;
    const int64_t dims = static_cast<int64_t>(shape.size());
    if (dims <= 1) {
      run(start * first_step(), start * second_step(), n);
      return;
    }
    Shape index(static_cast<size_t>(dims));
    int64_t a = 0, b = 0, rest = start;
    for (int64_t d = dims - 1; d >= 0; --d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
      a += index[d] * first[d];
      b += index[d] * second[d];
    }
    const int64_t last = dims - 1;
    while (n > 0) {
      int64_t length = std::min(n, shape[last] - index[last]);
      run(a, b, length);
      n -= length;
      if (n == 0) return;
      a -= index[last] * first[last];
      b -= index[last] * second[last];
      index[last] = 0;
      for (int64_t d = last - 1; d >= 0; --d) {
        a += first[d];
        b += second[d];
        if (++index[d] < shape[d]) break;
        a -= shape[d] * first[d];
        b -= shape[d] * second[d];
        index[d] = 0;
      }
    }
  }
};

struct WideItem {
  uint64_t parts[2];
};

// Calls f with a value of an unsigned type of this many bytes: moving elements needs no more than their size.
template <class F>
decltype(auto) visit_item(size_t size, F&& f) {
  switch (size) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return f(WideItem{});
  }
}

}  // namespace mlx::cpu
