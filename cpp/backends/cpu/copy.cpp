// Copies between any two layouts and dtypes, fills, and sequences of numbers.

#include <cstring>
#include <numeric>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/pair_nest.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32 * kTile;

// The dimensions of a copy, those that are apart furthest in the output first, so that it is written in
// order.
PairNest copy_nest(const Tensor& out, const Tensor& in) {
  const Shape from = broadcast_strides(in, out.shape());
  std::vector<size_t> order(out.shape().size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!out.is_contiguous())
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::abs(out.strides()[a]) > std::abs(out.strides()[b]);
    });
  Shape shape, first, second;
  for (size_t d : order) {
    shape.push_back(out.shape()[d]);
    first.push_back(from[d]);
    second.push_back(out.strides()[d]);
  }
  return PairNest(shape, first, second);
}

// ---- transposes: the input's rows are the output's columns

constexpr int64_t kSide = 64;  // of a block

// The dimension that is contiguous in the input, when the output's innermost one is another; -1 when there is
// none.
int64_t transposed_dim(const PairNest& nest) {
  const int64_t last = static_cast<int64_t>(nest.shape.size()) - 1;
  if (last < 1 || nest.second[last] != 1 || nest.first[last] == 1 || nest.first[last] == 0 ||
      nest.shape[last] < 4)
    return -1;
  for (int64_t d = 0; d < last; ++d)
    if (nest.first[d] == 1 && nest.shape[d] >= 4) return d;
  return -1;
}

// One block through a small buffer: memory is read and written in runs, and only the buffer, in the
// first-level cache, is read across. Its rows are padded, since strides of powers of two meet in few cache
// sets.
template <class T>
void transpose_block(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t rows,
                     int64_t columns) {
  constexpr int64_t pad = 16 / sizeof(T) > 0 ? 16 / sizeof(T) : 1;
  alignas(64) T block[kSide][kSide + pad];
  for (int64_t c = 0; c < columns; ++c)
    std::memcpy(block[c], in + c * in_stride, static_cast<size_t>(rows) * sizeof(T));
  for (int64_t r = 0; r < rows; ++r) {
    T* to = out + r * out_stride;
    for (int64_t c = 0; c < columns; ++c) to[c] = block[c][r];
  }
}

template <class T>
void copy_transposed(const PairNest& nest, int64_t dim, const T* in, T* out) {
  const size_t last = nest.shape.size() - 1, d = static_cast<size_t>(dim);
  const int64_t rows = nest.shape[d], columns = nest.shape[last];
  const int64_t across = ceil_div(columns, kSide), down = ceil_div(rows, kSide);
  Shape shape, first, second;
  for (size_t k = 0; k < last; ++k) {
    if (k == d) continue;
    shape.push_back(nest.shape[k]);
    first.push_back(nest.first[k]);
    second.push_back(nest.second[k]);
  }
  const PairNest outer(shape, first, second);
  parallel_for(0, outer.count * across * down,
               std::max<int64_t>(1, kGrain / (std::min(rows, kSide) * std::min(columns, kSide))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t at = begin; at < end; ++at) {
                   const int64_t r = at / across % down * kSide, c = at % across * kSide;
                   outer.for_runs(at / (across * down), 1, [&](int64_t from, int64_t to, int64_t) {
                     transpose_block(in + from + r + c * nest.first[last], nest.first[last],
                                     out + to + r * nest.second[d] + c, nest.second[d],
                                     std::min(kSide, rows - r), std::min(kSide, columns - c));
                   });
                 }
               });
}

// ---- runs

template <class T>
void copy_run(const T* in, int64_t in_step, T* out, int64_t out_step, int64_t n) {
  if (out_step == 1) return row_kernels().move(in, in_step, out, n);
  for (int64_t i = 0; i < n; ++i) out[i * out_step] = in[i * in_step];
}

void move_elements(const Tensor& out, const Tensor& in) {
  const PairNest nest = copy_nest(out, in);
  visit_item(out.item_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T* to = out.data<T>();
    if (const int64_t dim = transposed_dim(nest); dim >= 0) return copy_transposed(nest, dim, from, to);
    parallel_for(0, nest.count, kGrain, [&](int64_t begin, int64_t end) {
      nest.for_runs(begin, end - begin, [&](int64_t a, int64_t b, int64_t n) {
        copy_run(from + a, nest.first_step(), to + b, nest.second_step(), n);
      });
    });
  });
}

}  // namespace

void copy_elements(const Tensor& out, const Tensor& in) {
  if (out.numel() == 0) return;
  if (out.dtype() == in.dtype()) return move_elements(out, in);
  Layout from(in, out.shape()), to(out, out.shape());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (from.contiguous && to.contiguous) {
      auto at = [&](const Layout& l) { return l.data + begin * static_cast<int64_t>(item_size(l.dtype)); };
      convert(from.dtype, to.dtype, at(from), at(to), end - begin);
      return;
    }
    TileReader reader(from, to.dtype);
    TileWriter writer(to, to.dtype);
    for (int64_t i = begin; i < end; i += kTile) {
      int64_t n = std::min(kTile, end - i);
      const void* tile = reader.read(i, n);
      std::memcpy(writer.target(i, n), tile, static_cast<size_t>(n) * item_size(to.dtype));
      writer.done(i, n);
    }
  });
}

namespace {

void copy(const Copy&, const Launch& launch) { copy_elements(launch.out(), launch.in(0)); }
void transfer(const Transfer&, const Launch& launch) { copy_elements(launch.out(), launch.in(0)); }

// A first tile by elements, and copies of it, which are made with the processor's widest registers.
template <class T>
void fill_run(T* out, int64_t n, T value) {
  const int64_t first = std::min(n, kTile);
  std::fill_n(out, first, value);
  for (int64_t i = first; i < n; i += kTile)
    std::memcpy(out + i, out, static_cast<size_t>(std::min(kTile, n - i)) * sizeof(T));
}

void fill(const Fill& k, const Launch& launch) {
  const Tensor& out = launch.out();
  Layout to(out, out.shape());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    visit_item(out.item_size(), [&](auto zero) {
      using T = decltype(zero);
      T value;
      std::memcpy(&value, k.bits, sizeof value);
      if (to.contiguous) return fill_run(reinterpret_cast<T*>(to.data) + begin, end - begin, value);
      TileWriter writer(to, to.dtype);
      for (int64_t i = begin; i < end; i += kTile) {
        int64_t n = std::min(kTile, end - i);
        std::fill_n(static_cast<T*>(writer.target(i, n)), n, value);
        writer.done(i, n);
      }
    });
  });
}

void sequence(const Sequence& k, const Launch& launch) {
  const Tensor& out = launch.out();
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    visit(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* p = out.data<T>();
      // Integers count exactly; the others in double, rounded once.
      if (k.start.is_integral() && k.step.is_integral())
        for (int64_t i = begin; i < end; ++i) p[i] = Scalar(k.start.to_int() + i * k.step.to_int()).to<T>();
      else
        for (int64_t i = begin; i < end; ++i)
          p[i] = Scalar(k.start.to_double() + static_cast<double>(i) * k.step.to_double()).to<T>();
    });
  });
}

CPU_KERNEL(Copy, copy);
CPU_KERNEL(Transfer, transfer);
CPU_KERNEL(Fill, fill);
CPU_KERNEL(Sequence, sequence);

}  // namespace
}  // namespace mlx::cpu
