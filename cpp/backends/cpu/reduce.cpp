// Reductions. Dimensions are brought into the order (outer, reduced, inner), where inner is a run of kept
// dimensions that lie side by side in memory: with an inner run, rows are folded into a row of accumulators;
// without one, each result folds its own row. A large reduction with few results is cut into a number of
// pieces that depends on the shape alone, so the result is the same bits at any number of threads.

#include <memory>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/fused.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32768;  // elements that are worth another thread
constexpr int64_t kPieces = 64;    // of a reduction with few results

struct Order {
  Shape shape, strides;
  int64_t outer = 1, reduced = 1, inner = 1;
};

// Dimensions by falling stride: the elements of one result may be folded in any order, memory's is fastest.
void sort_by_stride(Shape& dims, const Shape& strides) {
  std::stable_sort(dims.begin(), dims.end(), [&](int64_t a, int64_t b) { return strides[a] > strides[b]; });
}

Order order_of(const Shape& shape, const Shape& strides, const Shape& out) {
  Shape kept, folded;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    (out[d] == 1 ? folded : kept).push_back(static_cast<int64_t>(d));
  }
  sort_by_stride(folded, strides);
  // The trailing kept dimensions that are one run in memory, finer than every reduced dimension.
  size_t run = kept.size();
  int64_t extent = 1;
  while (run > 0 && !folded.empty() && strides[kept[run - 1]] == extent && strides[folded.back()] != 0) {
    extent *= shape[kept[--run]];
  }
  if (!folded.empty() && strides[folded.back()] < extent) run = kept.size();

  Order order;
  auto add = [&](int64_t d, int64_t& count) {
    order.shape.push_back(shape[d]);
    order.strides.push_back(strides[d]);
    count *= shape[d];
  };
  for (size_t i = 0; i < run; ++i) add(kept[i], order.outer);
  for (int64_t d : folded) add(d, order.reduced);
  for (size_t i = run; i < kept.size(); ++i) add(kept[i], order.inner);
  return order;
}

DType read_type(const Reduce& k) {
  return k.kind == Reduction::Any || k.kind == Reduction::All ? DType::Bool : k.compute;
}

// The type of a total, by the type of the elements.
DType total_type(DType t) {
  switch (t) {
    case DType::Bool:
      return DType::UInt8;
    case DType::Float32:
      return DType::Float64;
    case DType::Complex64:
      return DType::Complex128;
    default:
      return t;
  }
}

template <class A>
A identity(Reduction kind) {
  if (kind == Reduction::Prod || kind == Reduction::All) return A(1);
  if constexpr (std::is_arithmetic_v<A>) {
    using Limits = std::numeric_limits<A>;
    if (kind == Reduction::Max) return Limits::has_infinity ? A(-Limits::infinity()) : Limits::lowest();
    if (kind == Reduction::Min) return Limits::has_infinity ? A(Limits::infinity()) : Limits::max();
  }
  return A(0);
}

Reduction fold_kind(Reduction kind) {
  if (kind == Reduction::Any) return Reduction::Max;
  return kind == Reduction::All ? Reduction::Min : kind;
}

// Where the elements come from: a tensor, or a fused program that computes them.
struct TensorSource {
  using Reader = TileReader;
  Layout layout;
  DType type;
  Reader reader() const { return {layout, type}; }
  const char* direct() const { return layout.contiguous && layout.dtype == type ? layout.data : nullptr; }
};

struct ProgramSource {
  using Reader = FusedTiles;
  FusedOperands operands;
  Reader reader() const { return FusedTiles(operands); }
  const char* direct() const { return nullptr; }
};

// A is the type of a total.
template <class A, class Source>
class Reducer {
 public:
  using Reader = typename Source::Reader;

  Reducer(const Reduce& k, const Tensor& out, const double* mean, const Order& order, const Source& source)
      : kernel_(k),
        order_(order),
        out_(out),
        source_(source),
        read_(read_type(k)),
        total_(total_type(read_)),
        fold_(row_kernels().fold(fold_kind(k.kind), compute_index(read_))),
        combine_(
            row_kernels().fold(k.kind == Reduction::SquaredDeviation ? Reduction::Sum : fold_kind(k.kind),
                               compute_index(total_))),
        mean_(mean),
        direct_(source.direct()) {}

  void run() {
    block_ = order_.inner > 1 ? std::min(order_.inner, kFoldColumns) : 1;
    blocks_ = ceil_div(order_.inner, block_);
    const int64_t tasks = order_.outer * blocks_, elements = order_.outer * order_.reduced * order_.inner;
    pieces_ = tasks >= kPieces ? 1 : std::min({kPieces / tasks, order_.reduced, elements / kGrain});
    if (pieces_ > 1) return run_pieces(tasks);
    const int64_t each = std::max<int64_t>(order_.reduced * block_, 1);
    parallel_for(0, tasks, std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
      Reader reader = source_.reader();
      if (order_.inner == 1) return fold_rows(reader, begin, end);
      A totals[kFoldColumns];
      for (int64_t task = begin; task < end; ++task) {
        const int64_t outer = task / blocks_, column = task % blocks_ * block_,
                      n = std::min(block_, order_.inner - column);
        fold_block(reader, outer, column, n, 0, order_.reduced, totals);
        finish(totals, outer * order_.inner + column, n);
      }
    });
  }

 private:
  void run_pieces(int64_t tasks) {
    const int64_t results = order_.outer * order_.inner;
    auto parts = std::make_unique<A[]>(static_cast<size_t>(pieces_ * results));
    parallel_for(0, tasks * pieces_, 1, [&](int64_t begin, int64_t end) {
      Reader reader = source_.reader();
      for (int64_t i = begin; i < end; ++i) {
        const int64_t task = i / pieces_, piece = i % pieces_;
        const int64_t outer = task / blocks_, column = task % blocks_ * block_,
                      n = std::min(block_, order_.inner - column);
        fold_block(reader, outer, column, n, piece * order_.reduced / pieces_,
                   (piece + 1) * order_.reduced / pieces_,
                   parts.get() + piece * results + outer * order_.inner + column);
      }
    });
    A totals[kFoldColumns];
    for (int64_t at = 0; at < results; at += kFoldColumns) {
      const int64_t n = std::min(kFoldColumns, results - at);
      std::fill_n(totals, n, identity<A>(kernel_.kind));
      combine_.columns(parts.get() + at, pieces_, n, results, nullptr, totals);
      finish(totals, at, n);
    }
  }

  // Many results, a row each: as many rows as a tile holds are read at once.
  void fold_rows(Reader& reader, int64_t begin, int64_t end) {
    A totals[kTile];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      if (order_.reduced > kTile / 2) {
        for (int64_t i = 0; i < n; ++i) fold_block(reader, at + i, 0, 1, 0, order_.reduced, totals + i);
      } else {
        fold_short_rows(reader, at, n, totals);
      }
      finish(totals, at, n);
    }
  }

  void fold_short_rows(Reader& reader, int64_t first, int64_t n, A* totals) {
    std::fill_n(totals, n, identity<A>(kernel_.kind));
    if (order_.reduced == 0) return;
    const int64_t each = order_.reduced, group = kTile / each, item = static_cast<int64_t>(item_size(read_));
    for (int64_t i = 0; i < n; i += group) {
      const int64_t rows = std::min(group, n - i);
      const char* x = static_cast<const char*>(reader.read((first + i) * each, rows * each));
      for (int64_t r = 0; r < rows; ++r)
        fold_.row(x + r * each * item, each, mean_ ? mean_ + first + i + r : nullptr, totals + i + r);
    }
  }

  // Folds rows [begin, end) of `n` columns from `column` on.
  void fold_block(Reader& reader, int64_t outer, int64_t column, int64_t n, int64_t begin, int64_t end,
                  A* totals) {
    std::fill_n(totals, n, identity<A>(kernel_.kind));
    const int64_t start = (outer * order_.reduced + begin) * order_.inner + column, rows = end - begin;
    const double* mean = mean_ ? mean_ + outer * order_.inner + column : nullptr;
    const int64_t item = static_cast<int64_t>(item_size(read_));
    if (order_.inner == 1) {
      if (direct_) return fold_.row(direct_ + start * item, rows, mean, totals);
      for (int64_t r = 0; r < rows; r += kTile) {
        const int64_t count = std::min(kTile, rows - r);
        fold_.row(reader.read(start + r, count), count, mean, totals);
      }
    } else if (direct_) {
      fold_.columns(direct_ + start * item, rows, n, order_.inner, mean, totals);
    } else if (n == order_.inner && n <= kTile / 2) {
      const int64_t group = kTile / n;
      for (int64_t r = 0; r < rows; r += group) {
        const int64_t count = std::min(group, rows - r);
        fold_.columns(reader.read(start + r * n, count * n), count, n, n, mean, totals);
      }
    } else {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < n; c += kTile) {
          const int64_t count = std::min(kTile, n - c);
          fold_.columns(reader.read(start + r * order_.inner + c, count), 1, count, 0,
                        mean ? mean + c : nullptr, totals + c);
        }
    }
  }

  void finish(A* totals, int64_t at, int64_t n) {
    if constexpr (!std::is_integral_v<A>) {
      if (kernel_.divisor != 1)
        for (int64_t i = 0; i < n; ++i) totals[i] /= static_cast<decltype(std::abs(A{}))>(kernel_.divisor);
      if (kernel_.root)
        for (int64_t i = 0; i < n; ++i) totals[i] = std::sqrt(totals[i]);
    }
    convert(total_, out_.dtype(), totals,
            static_cast<char*>(out_.raw()) + at * static_cast<int64_t>(out_.item_size()), n);
  }

  const Reduce& kernel_;
  const Order& order_;
  const Tensor& out_;
  const Source& source_;
  DType read_, total_;
  FoldEntry fold_, combine_;
  const double* mean_;
  const char* direct_;  // all elements as they lie in memory, if they can be read so
  int64_t block_ = 1, blocks_ = 1, pieces_ = 1;
};

template <class Source>
void reduce_source(const Reduce& k, const Launch& launch, const double* mean, const Order& order,
                   const Source& source) {
  visit_compute(total_type(read_type(k)), [&](auto zero) {
    using A = decltype(zero);
    if constexpr (!std::is_same_v<A, float> && !std::is_same_v<A, std::complex<float>>)
      Reducer<A, Source>(k, launch.out(), mean, order, source).run();
  });
}

// The means as doubles; those of a device without them come as floats.
const double* mean_of(const Tensor& mean, std::vector<double>& widened) {
  if (mean.dtype() == DType::Float64) return mean.data<double>();
  const float* p = mean.data<float>();
  widened.assign(p, p + mean.numel());
  return widened.data();
}

void reduce(const Reduce& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (out.numel() == 0) return;
  const DType read = read_type(k);
  if (!row_kernels().fold(fold_kind(k.kind), compute_index(read)).row)
    throw NotImplementedError("this reduction is not implemented for '", short_name(launch.in(0).dtype()),
                              "'");
  const Order order = order_of(in.shape(), in.strides(), out.shape());
  std::vector<double> widened;
  const double* mean = launch.inputs.size() > 1 ? mean_of(launch.in(1), widened) : nullptr;
  reduce_source(k, launch, mean, order, TensorSource{Layout(in, order.shape, order.strides), read});
}

void fused_reduce(const FusedReduce& k, const Launch& launch) {
  const FusedProgram& p = *k.program;
  const Order order = order_of(p.shape, contiguous_strides(p.shape), launch.out().shape());
  reduce_source(k.reduce, launch, nullptr, order,
                ProgramSource{FusedOperands(p, launch.outputs, launch.inputs)});
}

CPU_KERNEL(Reduce, reduce);
CPU_KERNEL(FusedReduce, fused_reduce);

}  // namespace
}  // namespace mlx::cpu
