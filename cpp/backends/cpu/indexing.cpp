// Rows and elements by index. Offsets of rows are computed (and checked) first, so that everything after is
// moving memory; writes are split over threads by the columns they go to, never by index, so that elements
// which several indices name are written in the order of the indices whatever the number of threads.

#include <cmath>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/pair_nest.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "backends/cpu/vector_kernels.h"
#include "base/index_error.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 16 * kTile;  // elements

[[noreturn]] void throw_out_of_bounds(const char* op, int64_t index, int64_t dim, int64_t size) {
  throw OutOfBoundsError(op, "(): index ", index, " is out of bounds for dimension ", dim, " with size ",
                         size);
}

// ---- how elements join

template <Update kUpdate, class T>
T joined(T old, T value) {
  if constexpr (kUpdate == Update::Set) {
    return value;
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return T(joined<kUpdate>(static_cast<float>(old), static_cast<float>(value)));
  } else if constexpr (kUpdate == Update::Add) {
    if constexpr (std::is_same_v<T, bool>)
      return old || value;
    else if constexpr (std::is_same_v<T, int64_t>)
      return static_cast<T>(static_cast<uint64_t>(old) + static_cast<uint64_t>(value));
    else
      return static_cast<T>(old + value);
  } else if constexpr (kUpdate == Update::Mul) {
    if constexpr (std::is_same_v<T, bool>)
      return old && value;
    else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, int32_t>)
      return static_cast<T>(static_cast<uint64_t>(old) * static_cast<uint64_t>(value));
    else
      return static_cast<T>(old * value);
  } else if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    throw NotImplementedError("complex numbers have no maximum or minimum");
  } else {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(old)) return old;
      if (std::isnan(value)) return value;
    }
    return kUpdate == Update::Max ? std::max(old, value) : std::min(old, value);
  }
}

template <class F>
void visit_update(Update update, F&& f) {
  switch (update) {
    case Update::Set:
      return f(std::integral_constant<Update, Update::Set>());
    case Update::Add:
      return f(std::integral_constant<Update, Update::Add>());
    case Update::Mul:
      return f(std::integral_constant<Update, Update::Mul>());
    case Update::Max:
      return f(std::integral_constant<Update, Update::Max>());
    case Update::Min:
      return f(std::integral_constant<Update, Update::Min>());
  }
}

// Calls f(type tag, update tag); elements that are only set are told apart by their size alone.
template <class F>
void visit_joining(DType dtype, Update update, F&& f) {
  if (update == Update::Set)
    return visit_item(item_size(dtype),
                      [&](auto zero) { f(zero, std::integral_constant<Update, Update::Set>()); });
  visit(dtype, [&](auto zero) {
    visit_update(update, [&](auto tag) {
      if constexpr (tag.value != Update::Set) f(zero, tag);
    });
  });
}

// ---- offsets

void index_offsets(const IndexOffsets& k, const Launch& launch) {
  const Tensor& out = launch.out();
  Layout index(launch.in(0), out.shape());
  int64_t* offsets = out.data<int64_t>();
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    TileReader reader(index, DType::Int64);
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      const int64_t* values = static_cast<const int64_t*>(reader.read(at, n));
      for (int64_t i = 0; i < n; ++i) {
        int64_t v = values[i];
        if (v < -k.size || v >= k.size) throw_out_of_bounds(k.op, v, k.dim, k.size);
        offsets[at + i] += (v < 0 ? v + k.size : v) * k.stride;
      }
    }
  });
}

// ---- rows

std::span<const int64_t> part(const Shape& s, size_t from, size_t to) { return {s.data() + from, to - from}; }
std::span<const int64_t> part(const Shape& s, size_t from) { return part(s, from, s.size()); }

// The dimensions of `rows` (b, n, a) beside those of `plain` (b, a).
struct RowNests {
  PairNest before, after;  // first: plain, second: rows
  int64_t count, stride;   // of n

  RowNests(const Tensor& plain, const Tensor& rows, int before_dims) {
    const size_t b = static_cast<size_t>(before_dims);
    before = PairNest(part(plain.shape(), 0, b), part(plain.strides(), 0, b), part(rows.strides(), 0, b));
    after = PairNest(part(plain.shape(), b), part(plain.strides(), b), part(rows.strides(), b + 1));
    count = rows.shape()[b];
    stride = rows.strides()[b];
  }
  bool contiguous_rows() const {
    return after.one_run() && after.first_step() == 1 && after.second_step() == 1;
  }
};

// out[n] = in[offsets[n]] for single elements.
template <class T>
void gather_elements(const T* in, const int64_t* offsets, T* out, int64_t step, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) out[n * step] = in[offsets[n]];
}

template <class T>
void copy_row(const PairNest& nest, bool contiguous, const T* in, T* out) {
  if (contiguous) {
    std::memcpy(out, in, static_cast<size_t>(nest.count) * sizeof(T));
    return;
  }
  const int64_t a = nest.first_step(), b = nest.second_step();
  nest.for_runs(0, nest.count, [&](int64_t from, int64_t to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[to + i * b] = in[from + i * a];
  });
}

void gather_rows(const GatherRows& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (out.numel() == 0) return;
  const int64_t* offsets = launch.in(1).data<int64_t>();
  const RowNests nests(in, out, k.before);
  const bool contiguous = nests.contiguous_rows();
  const int64_t row = nests.after.count;
  visit_item(out.item_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T* to = out.data<T>();
    parallel_for(
        0, nests.before.count * nests.count, std::max<int64_t>(1, kGrain / row),
        [&](int64_t begin, int64_t end) {
          for (int64_t at = begin; at < end;) {
            const int64_t b = at / nests.count, first = at % nests.count,
                          last = std::min(nests.count, first + end - at);
            at += last - first;
            nests.before.for_runs(b, 1, [&](int64_t in_at, int64_t out_at, int64_t) {
              if (row == 1)
                return gather_elements(from + in_at, offsets, to + out_at, nests.stride, first, last);
              for (int64_t n = first; n < last; ++n)
                copy_row(nests.after, contiguous, from + in_at + offsets[n], to + out_at + n * nests.stride);
            });
          }
        });
  });
}

// n neighbours join; sums of floats by the processor's best kernel.
template <Update kUpdate, class T>
void join_neighbours(T* out, const T* values, int64_t n) {
  if constexpr (kUpdate == Update::Add && (std::is_same_v<T, float> || std::is_same_v<T, double>)) {
    constexpr ComputeType type = sizeof(T) == 4 ? ComputeType::Float32 : ComputeType::Float64;
    static const PointwiseKernel add = vector_kernels().pointwise(Formula::add, type).kernel;
    const void* inputs[] = {out, values};
    return add(inputs, out, n);
  }
  for (int64_t i = 0; i < n; ++i) out[i] = joined<kUpdate>(out[i], values[i]);
}

// Columns [begin, end) of one row of values join those of out.
template <Update kUpdate, class T>
void join_row(const PairNest& nest, T* out, const T* values, int64_t begin, int64_t end) {
  const int64_t a = nest.first_step(), b = nest.second_step();
  nest.for_runs(begin, end - begin, [&](int64_t to, int64_t from, int64_t n) {
    T* p = out + to;
    const T* q = values + from;
    if (a == 1 && b == 1) return join_neighbours<kUpdate>(p, q, n);
    for (int64_t i = 0; i < n; ++i) p[i * a] = joined<kUpdate>(p[i * a], q[i * b]);
  });
}

// Many long rows: each piece takes those that land in its share of the places, whole, in their order.
template <Update kUpdate, class T>
void scatter_by_places(const RowNests& nests, const int64_t* offsets, T* to, const T* from) {
  const auto [low, high] = std::minmax_element(offsets, offsets + nests.count);
  const int64_t first = *low, pieces = 4 * num_threads(), share = (*high - first) / pieces + 1;
  parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    const int64_t from_place = first + begin * share, to_place = first + end * share;
    for (int64_t n = 0; n < nests.count; ++n)
      if (offsets[n] >= from_place && offsets[n] < to_place)
        join_row<kUpdate>(nests.after, to + offsets[n], from + n * nests.stride, 0, nests.after.count);
  });
}

void scatter_rows(const ScatterRows& k, const Launch& launch) {
  const Tensor &out = launch.out(), &values = launch.in(1);
  if (values.numel() == 0) return;
  const int64_t* offsets = launch.in(0).data<int64_t>();
  const RowNests nests(out, values, k.before);
  const int64_t row = nests.after.count;
  constexpr int64_t kLongRow = 64, kManyRows = 256;
  if (nests.before.count == 1 && nests.contiguous_rows() && row >= kLongRow && nests.count >= kManyRows)
    return visit_joining(out.dtype(), k.update, [&](auto zero, auto update) {
      using T = decltype(zero);
      scatter_by_places<update.value>(nests, offsets, out.data<T>(), values.data<T>());
    });
  // A multiple of 32 columns keeps threads off each other's cache lines; long pieces of rows are read in
  // order.
  const int64_t enough = (kGrain / nests.count + 32) / 32 * 32;
  const int64_t grain = std::max(enough, std::min<int64_t>(256, (row / 2 + 31) / 32 * 32));
  visit_joining(out.dtype(), k.update, [&](auto zero, auto update) {
    using T = decltype(zero);
    T* to = out.data<T>();
    const T* from = values.data<T>();
    parallel_for(0, nests.before.count * row, grain, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end;) {
        const int64_t b = at / row, first = at % row, last = std::min(row, first + end - at);
        at += last - first;
        nests.before.for_runs(b, 1, [&](int64_t out_at, int64_t in_at, int64_t) {
          if (row == 1) {
            for (int64_t n = 0; n < nests.count; ++n) {
              T& p = to[out_at + offsets[n]];
              p = joined<update.value>(p, from[in_at + n * nests.stride]);
            }
            return;
          }
          for (int64_t n = 0; n < nests.count; ++n)
            join_row<update.value>(nests.after, to + out_at + offsets[n], from + in_at + n * nests.stride,
                                   first, last);
        });
      }
    });
  });
}

// ---- elements along a dimension

// How a kernel walks two tensors and an index over the index's shape: lines along `dim`, those that are
// neighbours in the last dimension together, so that memory is read in order.
struct Lines {
  Shape shape, index, moved,
      plain;  // of the outer dimensions, and the strides of index, of the tensor indexed, of the other
  int64_t length, width = 1;                                  // along `dim`, and of neighbouring lines
  int64_t index_step, plain_step, moved_step;                 // along `dim`
  int64_t index_width = 0, moved_width = 0, plain_width = 0;  // from line to line

  Lines(const Tensor& at, const Tensor& indexed, const Tensor& other, int64_t dim) {
    const int64_t dims = at.dim();
    length = at.size(dim);
    index_step = at.stride(dim);
    moved_step = indexed.stride(dim);
    plain_step = other.stride(dim);
    for (int64_t d = 0; d < dims; ++d) {
      if (d == dim) continue;
      if (d == dims - 1) {
        width = at.size(d);
        index_width = at.stride(d);
        moved_width = indexed.stride(d);
        plain_width = other.stride(d);
        continue;
      }
      shape.push_back(at.size(d));
      index.push_back(at.stride(d));
      moved.push_back(indexed.stride(d));
      plain.push_back(other.stride(d));
    }
  }

  int64_t count() const {
    int64_t n = width;
    for (int64_t s : shape) n *= s;
    return n;
  }

  // Calls f(index offset, indexed offset, other offset) for all elements of lines [begin, end), along `dim`
  // in order.
  template <class F>
  void walk(int64_t begin, int64_t end, F&& f) const {
    for (int64_t at = begin; at < end;) {
      int64_t first = at % width, last = std::min(width, first + end - at), outer = at / width;
      at += last - first;
      int64_t i0 = 0, m0 = 0, p0 = 0;
      for (size_t d = shape.size(); d-- > 0; outer /= shape[d]) {
        const int64_t c = outer % shape[d];
        i0 += c * index[d];
        m0 += c * moved[d];
        p0 += c * plain[d];
      }
      i0 += first * index_width;
      m0 += first * moved_width;
      p0 += first * plain_width;
      if (last - first == 1) {  // a loop of one turn inside would cost as much as the work
        for (int64_t k = 0; k < length; ++k) f(i0 + k * index_step, m0, p0 + k * plain_step);
        continue;
      }
      for (int64_t k = 0; k < length; ++k)
        for (int64_t w = 0; w < last - first; ++w)
          f(i0 + k * index_step + w * index_width, m0 + w * moved_width,
            p0 + k * plain_step + w * plain_width);
    }
  }
};

void gather_along(const Gather& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0), &index = launch.in(1);
  if (out.numel() == 0) return;
  const Lines lines(index, in, out, k.dim);
  const int64_t* at = index.data<int64_t>();
  const int64_t size = in.size(k.dim);
  visit_item(out.item_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T* to = out.data<T>();
    parallel_for(0, lines.count(), std::max<int64_t>(1, kGrain / lines.length),
                 [&](int64_t begin, int64_t end) {
                   lines.walk(begin, end, [&](int64_t i, int64_t m, int64_t p) {
                     const int64_t v = at[i];
                     if (v < 0 || v >= size) throw_out_of_bounds(k.op, v, k.dim, size);
                     to[p] = from[m + v * lines.moved_step];
                   });
                 });
  });
}

void scatter_along(const Scatter& k, const Launch& launch) {
  const Tensor &out = launch.out(), &index = launch.in(0), &source = launch.in(1);
  if (index.numel() == 0) return;
  const Lines lines(index, out, source, k.dim);
  const int64_t* at = index.data<int64_t>();
  const int64_t size = out.size(k.dim);
  visit_joining(out.dtype(), k.update, [&](auto zero, auto update) {
    using T = decltype(zero);
    T* to = out.data<T>();
    const T* from = source.data<T>();
    parallel_for(0, lines.count(), std::max<int64_t>(1, kGrain / lines.length),
                 [&](int64_t begin, int64_t end) {
                   lines.walk(begin, end, [&](int64_t i, int64_t m, int64_t p) {
                     const int64_t v = at[i];
                     if (v < 0 || v >= size) throw_out_of_bounds(k.op, v, k.dim, size);
                     T& place = to[m + v * lines.moved_step];
                     place = joined<update.value>(place, from[p]);
                   });
                 });
  });
}

// ---- nonzero elements

// Calls f(position in the piece's tile, tile) ... : the nonzero bytes of elements [begin, end), tile by tile.
template <class F>
void for_truth_tiles(const Layout& layout, int64_t begin, int64_t end, F&& f) {
  TileReader reader(layout, DType::Bool);
  for (int64_t at = begin; at < end; at += kTile) {
    const int64_t n = std::min(kTile, end - at);
    f(at, static_cast<const uint8_t*>(reader.read(at, n)), n);
  }
}

void count_nonzero(const CountNonzero& k, const Launch& launch) {
  const Tensor& in = launch.in(0);
  Layout layout(in, in.shape());
  int64_t* counts = launch.out().data<int64_t>();
  parallel_for(0, launch.out().numel(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      int64_t count = 0;
      for_truth_tiles(layout, c * k.piece, std::min((c + 1) * k.piece, in.numel()),
                      [&](int64_t, const uint8_t* truth, int64_t n) {
                        uint32_t tile = 0;
                        for (int64_t i = 0; i < n; ++i) tile += truth[i] != 0;
                        count += tile;
                      });
      counts[c] = count;
    }
  });
}

void nonzero(const Nonzero& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0), &counts = launch.in(1);
  Layout layout(in, in.shape());
  const int64_t pieces = counts.numel(), dims = in.dim();
  std::vector<int64_t> first(static_cast<size_t>(pieces) + 1);
  for (int64_t c = 0; c < pieces; ++c) first[c + 1] = first[c] + counts.data<int64_t>()[c];
  parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      int64_t* row = out.data<int64_t>() + first[c] * dims;
      for_truth_tiles(layout, c * k.piece, std::min((c + 1) * k.piece, in.numel()),
                      [&](int64_t at, const uint8_t* truth, int64_t n) {
                        for (int64_t i = 0; i < n; ++i) {
                          if (!truth[i]) continue;
                          int64_t rest = at + i;
                          for (int64_t d = dims - 1; d > 0; --d) {
                            row[d] = rest % in.shape()[d];
                            rest /= in.shape()[d];
                          }
                          if (dims) row[0] = rest;
                          row += dims;
                        }
                      });
    }
  });
}

CPU_KERNEL(IndexOffsets, index_offsets);
CPU_KERNEL(GatherRows, gather_rows);
CPU_KERNEL(ScatterRows, scatter_rows);
CPU_KERNEL(Gather, gather_along);
CPU_KERNEL(Scatter, scatter_along);
CPU_KERNEL(CountNonzero, count_nonzero);
CPU_KERNEL(Nonzero, nonzero);

}  // namespace
}  // namespace mlx::cpu
