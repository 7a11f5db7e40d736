#include "backends/cpu/tiles.h"

#include <cstring>

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

struct Wide {
  uint64_t parts[2];
};

// Calls f with a value of an unsigned type of this many bytes: moving needs no more than the size.
template <class F>
void with_item(size_t size, F&& f) {
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
      return f(Wide{});
  }
}

// The index of element `start` in each dimension, and its offset.
int64_t locate(const Layout& l, int64_t start, Shape& index) {
  int64_t offset = 0;
  for (size_t d = l.shape.size(); d-- > 0;) {
    index[d] = start % l.shape[d];
    start /= l.shape[d];
    offset += index[d] * l.strides[d];
  }
  return offset;
}

// Walks elements [start, start + n) of a layout as runs along its innermost dimension:
// run(first element's offset, stride, length).
template <class Run>
void for_runs(const Layout& l, int64_t start, int64_t n, Run&& run) {
  const int64_t dims = static_cast<int64_t>(l.shape.size());
  if (dims == 0) return run(0, 0, n);
  const int64_t inner = l.shape.back(), step = l.strides.back();
  Shape index(static_cast<size_t>(dims));
  int64_t offset = locate(l, start, index);
  while (n > 0) {
    int64_t length = std::min(n, inner - index[dims - 1]);
    run(offset, step, length);
    n -= length;
    if (n == 0) return;
    offset += length * step - inner * step;
    index[dims - 1] = 0;
    for (int64_t d = dims - 2; d >= 0; --d) {
      offset += l.strides[d];
      if (++index[d] < l.shape[d]) break;
      offset -= l.shape[d] * l.strides[d];
      index[d] = 0;
    }
  }
}

}  // namespace

Layout::Layout(const Tensor& t, const Shape& whole) : Layout(t, whole, broadcast_strides(t, whole)) {}

Layout::Layout(const Tensor& t, const Shape& whole, const Shape& steps)
    : data(static_cast<char*>(t.raw())), dtype(t.dtype()) {
  for (size_t d = 0; d < whole.size(); ++d) {
    if (whole[d] == 1) continue;
    if (!shape.empty() && strides.back() == steps[d] * whole[d]) {
      shape.back() *= whole[d];
      strides.back() = steps[d];
    } else {
      shape.push_back(whole[d]);
      strides.push_back(steps[d]);
    }
  }
  contiguous = shape.empty() || (shape.size() == 1 && strides[0] == 1);
  constant = std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 0; });
}

char* Layout::place_of(int64_t start, int64_t n) const {
  const int64_t item = static_cast<int64_t>(item_size(dtype));
  if (contiguous) return data + start * item;
  // The rest of the row that element `start` is in.
  const size_t last = shape.size() - 1;
  const int64_t column = start % shape[last];
  if (strides[last] != 1 || shape[last] - column < n) return nullptr;
  int64_t line = start / shape[last], offset = column;
  for (size_t d = last; d-- > 0 && line > 0; line /= shape[d]) offset += line % shape[d] * strides[d];
  return data + offset * item;
}

void TileCuts::add(const Layout& l) {
  if (l.contiguous || l.constant) return;
  const int64_t row = l.shape.back();
  row_ = row_ == 0 ? row : std::min(row_, row);
  piece_ = ceil_div(row_, ceil_div(row_, kTile));
  is_long_ = row_ >= kLongRow;
}

void gather(const Layout& from, int64_t start, int64_t n, void* out) {
  with_item(item_size(from.dtype), [&](auto zero) {
    using T = decltype(zero);
    T* to = static_cast<T*>(out);
    for_runs(from, start, n, [&](int64_t offset, int64_t step, int64_t length) {
      const T* p = reinterpret_cast<const T*>(from.data) + offset;
      row_kernels().move(p, step, to, length);
      to += length;
    });
  });
}

void scatter(const Layout& to, int64_t start, int64_t n, const void* in) {
  with_item(item_size(to.dtype), [&](auto zero) {
    using T = decltype(zero);
    const T* from = static_cast<const T*>(in);
    for_runs(to, start, n, [&](int64_t offset, int64_t step, int64_t length) {
      T* p = reinterpret_cast<T*>(to.data) + offset;
      if (step == 1)
        std::memcpy(p, from, static_cast<size_t>(length) * sizeof(T));
      else
        for (int64_t i = 0; i < length; ++i) p[i * step] = from[i];
      from += length;
    });
  });
}

void convert(DType from, DType to, const void* in, void* out, int64_t n) {
  vector_kernels().convert[static_cast<int>(from)][static_cast<int>(to)](in, out, n);
}

const void* TileReader::read(int64_t start, int64_t n) {
  if (layout_.constant) {
    if (filled_ < n) {
      convert(layout_.dtype, as_, layout_.data, raw_, 1);
      with_item(item_size(as_), [&](auto zero) {
        using T = decltype(zero);
        row_kernels().move(reinterpret_cast<const T*>(raw_), 0, reinterpret_cast<T*>(tile_), n);
      });
      filled_ = n;
    }
    return tile_;
  }
  const void* source = layout_.place_of(start, n);
  if (!source) {
    gather(layout_, start, n, raw_);
    source = raw_;
  }
  if (layout_.dtype == as_) return source;
  convert(layout_.dtype, as_, source, tile_, n);
  return tile_;
}

void* TileWriter::target(int64_t start, int64_t n) {
  place_ = layout_.place_of(start, n);
  return place_ && layout_.dtype == from_ ? place_ : tile_;
}

void TileWriter::done(int64_t start, int64_t n) {
  if (place_) {
    if (layout_.dtype != from_) convert(from_, layout_.dtype, tile_, place_, n);
    return;
  }
  if (layout_.dtype == from_) return scatter(layout_, start, n, tile_);
  convert(from_, layout_.dtype, tile_, raw_, n);
  scatter(layout_, start, n, raw_);
}

void* TileEditor::load(int64_t start, int64_t n) {
  char* source = layout_.data + start * static_cast<int64_t>(item_size(layout_.dtype));
  if (!layout_.contiguous) {
    source = layout_.dtype == as_ ? tile_ : raw_;
    gather(layout_, start, n, source);
  }
  if (layout_.dtype == as_) return source;
  convert(layout_.dtype, as_, source, tile_, n);
  return tile_;
}

void TileEditor::store(int64_t start, int64_t n) {
  char* source =
      layout_.contiguous ? layout_.data + start * static_cast<int64_t>(item_size(layout_.dtype)) : raw_;
  if (layout_.dtype != as_) convert(as_, layout_.dtype, tile_, source, n);
  if (!layout_.contiguous) scatter(layout_, start, n, layout_.dtype == as_ ? tile_ : raw_);
}

}  // namespace mlx::cpu
