// Where the extremes are, and elements by their place in a row.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32768;

template <class T>
struct Best {
  T value;
  int64_t index;  // -1 where nothing has been seen
};

template <class T>
constexpr ComputeType compute_type_of() {
  if constexpr (std::is_same_v<T, uint8_t>)
    return ComputeType::UInt8;
  else if constexpr (std::is_same_v<T, int32_t>)
    return ComputeType::Int32;
  else if constexpr (std::is_same_v<T, int64_t>)
    return ComputeType::Int64;
  else
    return std::is_same_v<T, float> ? ComputeType::Float32 : ComputeType::Float64;
}

template <class T>
bool is_nan(T v) {
  return v != v;
}

template <class T>
class ExtremeFinder {
 public:
  explicit ExtremeFinder(bool largest)
      : fold_(row_kernels().fold(largest ? Reduction::Max : Reduction::Min, compute_type_of<T>())),
        largest_(largest) {}

  // Takes elements from place `at` of the row on into account: first their extreme, by the fast fold, then,
  // if that is better, its place.
  void improve(Best<T>& best, const T* x, int64_t n, int64_t at) const {
    using Total = std::conditional_t<std::is_same_v<T, float>, double, T>;
    if (best.index >= 0 && is_nan(best.value)) return;
    Total total = static_cast<Total>(x[0]);
    fold_.row(x, n, nullptr, &total);
    const T extreme = static_cast<T>(total);
    if (best.index >= 0 && !is_nan(extreme) && !(largest_ ? extreme > best.value : extreme < best.value))
      return;
    best = {extreme, at + fold_.find(x, n, &extreme)};
  }

 private:
  const FoldEntry& fold_;
  bool largest_;
};

// The extremes of rows [begin, end) of `each` elements, and their places.
template <class T>
void find_extremes(const ExtremeFinder<T>& finder, TileReader& reader, int64_t begin, int64_t end,
                   int64_t each, T* values, int64_t* places) {
  const int64_t group = std::max<int64_t>(1, kTile / each);  // short rows are read several at once
  for (int64_t first = begin; first < end; first += group) {
    const int64_t rows = std::min(group, end - first);
    Best<T> best[kTile];
    for (int64_t r = 0; r < rows; ++r) best[r].index = -1;
    for (int64_t at = 0; at < each; at += kTile) {
      const int64_t n = std::min(kTile, each - at);
      const T* x = static_cast<const T*>(reader.read(first * each + at, rows * n));
      for (int64_t r = 0; r < rows; ++r) finder.improve(best[r], x + r * n, n, at);
    }
    for (int64_t r = 0; r < rows; ++r) {
      values[first - begin + r] = best[r].value;
      places[first - begin + r] = best[r].index;
    }
  }
}

void arg_reduce(const ArgReduce& k, const Launch& launch) {
  const Tensor &values = launch.out(0), &indices = launch.out(1), &in = launch.in(0);
  Shape shape, strides;
  int64_t each = 1;
  for (bool inner : {false, true})
    for (int64_t d = 0; d < in.dim(); ++d) {
      if ((values.size(d) == 1 && in.size(d) != 1) != inner) continue;
      shape.push_back(in.size(d));
      strides.push_back(in.stride(d));
      if (inner) each = in.size(d);
    }
  Layout from(in, shape, strides);
  const DType compute = compute_type(in.dtype());
  const int64_t item = static_cast<int64_t>(values.item_size());
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_arithmetic_v<T>) {
      throw NotImplementedError("max and min are not defined for complex numbers");
    } else {
      const ExtremeFinder<T> finder(k.largest);
      parallel_for(0, values.numel(), std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
        TileReader reader(from, compute);
        for (int64_t first = begin; first < end; first += kTile) {
          const int64_t n = std::min(kTile, end - first);
          T extremes[kTile];
          find_extremes(finder, reader, first, first + n, each, extremes, indices.data<int64_t>() + first);
          convert(compute, values.dtype(), extremes, static_cast<char*>(values.raw()) + first * item, n);
        }
      });
    }
  });
}

CPU_KERNEL(ArgReduce, arg_reduce);

void take_along(const TakeAlong&, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0), &index = launch.in(1);
  const int64_t rows = out.size(0), n = in.size(1), count = out.size(1);
  visit(in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(0, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(count, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t r = begin; r < end; ++r) {
                     const T* x = in.data<T>() + r * n;
                     const int64_t* at = index.data<int64_t>() + r * count;
                     T* y = out.data<T>() + r * count;
                     for (int64_t i = 0; i < count; ++i) y[i] = x[at[i]];
                   }
                 });
  });
}

template <class T>
T added(T a, T b) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
    return T(static_cast<float>(a) + static_cast<float>(b));
  else
    return static_cast<T>(a + b);
}

void add_along(const AddAlong&, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0), &index = launch.in(1);
  const int64_t rows = out.size(0), n = out.size(1), count = in.size(1);
  visit(in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(0, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(count, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t r = begin; r < end; ++r) {
                     const T* x = in.data<T>() + r * count;
                     const int64_t* at = index.data<int64_t>() + r * count;
                     T* y = out.data<T>() + r * n;
                     for (int64_t i = 0; i < count; ++i) y[at[i]] = added(y[at[i]], x[i]);
                   }
                 });
  });
}

CPU_KERNEL(TakeAlong, take_along);
CPU_KERNEL(AddAlong, add_along);

}  // namespace
}  // namespace mlx::cpu
