// Convolutions by the packed product. Forward: weights times places. The gradient of the input: for each
// residue of the input's coordinates modulo the stride a convolution of stride 1, over those taps that reach
// it. The gradient of the weight: the result's gradient times what each tap saw.

#include <algorithm>
#include <numeric>

#include "backends/cpu/convolution_shapes.h"
#include "backends/cpu/image_panels.h"
#include "backends/cpu/matrix_product.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "backends/cpu/winograd.h"

namespace mlx::cpu {
namespace {

using Shapes = ConvolutionShapes;

int64_t bytes_of(DType dtype) { return static_cast<int64_t>(item_size(dtype)); }

void* element(const Tensor& t, int64_t offset) {
  return static_cast<char*>(t.raw()) + offset * bytes_of(t.dtype());
}

const ProductKernels& kernels_for(DType dtype) {
  return dtype == DType::BFloat16 ? bfloat16_product_kernels() : product_kernels();
}

// One group's images under some taps.
TappedImages tapped(const Tensor& t, int64_t group, int64_t groups, const int64_t (&size)[3],
                    const int64_t (&grid)[3]) {
  TappedImages images;
  images.channels = t.size(1) / groups;
  images.dtype = t.dtype();
  for (int i = 0; i < 3; ++i) {
    images.size[i] = size[i];
    images.grid[i] = grid[i];
    images.step[i] = 1;
  }
  images.image_stride = t.size(1) * images.image_size();
  images.data = element(t, group * images.channels * images.image_size());
  return images;
}

// The input under taps of the forward convolution, in the order given.
TappedImages input_under_taps(const Shapes& s, const Tensor& x, int64_t group,
                              const std::vector<int64_t>& taps) {
  TappedImages images = tapped(x, group, s.groups, s.in, s.out);
  const Window& w = s.window;
  std::copy_n(w.stride, 3, images.step);
  for (int64_t tap : taps) {
    const int64_t at[3] = {tap / (w.kernel[1] * w.kernel[2]), tap / w.kernel[2] % w.kernel[1],
                           tap % w.kernel[2]};
    TappedImages::Tap offsets;
    for (int i = 0; i < 3; ++i) offsets.offset[i] = at[i] * w.dilation[i] - w.padding[i];
    images.taps.push_back(offsets);
  }
  return images;
}

std::vector<int64_t> all_taps(const Shapes& s) {
  std::vector<int64_t> taps(static_cast<size_t>(s.taps()));
  std::iota(taps.begin(), taps.end(), 0);
  return taps;
}

// All taps, row by row of the kernel. Within a row those come together that see neighbours in padded rows,
// which places a step apart are.
std::vector<int64_t> taps_by_phase(const Shapes& s) {
  std::vector<int64_t> taps = all_taps(s);
  const int64_t width = s.window.kernel[2];
  const auto phase = [&](int64_t tap) {
    return std::pair(tap / width, tap % width * s.window.dilation[2] % s.window.stride[2]);
  };
  std::ranges::stable_sort(taps, {}, phase);
  return taps;
}

// Rows of results are channels, columns are places, image by image: place p goes to first + p * step.
class PlacesTarget : public ProductTarget {
 public:
  struct Lattice {
    int64_t first[3], step[3], grid[3];
  };

  // Images without gaps of `channels` channels, of which a group begins at `channel`. Without data, an ending
  // takes the results.
  PlacesTarget(void* data, DType dtype, int64_t channels, int64_t channel, const int64_t (&size)[3],
               const Lattice& lattice)
      : dtype_(dtype),
        channel_stride_(size[0] * size[1] * size[2]),
        image_stride_(channels * channel_stride_),
        first_(channel * channel_stride_),
        height_(size[1]),
        width_(size[2]),
        lattice_(lattice),
        places_(lattice.grid[0] * lattice.grid[1] * lattice.grid[2]),
        dense_(places_ == channel_stride_) {
    if (data) data_ = static_cast<char*>(data) + first_ * bytes_of(dtype);
  }

  Run elements_from(int64_t row, int64_t column) const override {
    const int64_t image = column / places_, place = column % places_;
    if (!dense_) return ProductTarget::elements_from(row, column);
    return {first_ + image * image_stride_ + row * channel_stride_ + place, places_ - place};
  }
  bool place(ResultBlock& block) const override {
    const int64_t image = block.column / places_;
    if (!data_ || !dense_ || dtype_ != DType::Float32 ||
        (block.column + block.columns - 1) / places_ != image)
      return false;
    block.data = reinterpret_cast<float*>(at(image, block.row, block.column % places_));
    block.stride = channel_stride_;
    return true;
  }

  void store(const ResultBlock& block) const override {
    for (int64_t i = 0; i < block.rows; ++i)
      for (int64_t j = 0; j < block.columns;) {
        const int64_t place = (block.column + j) % places_, image = (block.column + j) / places_,
                      run = dense_ ? places_ - place : lattice_.grid[2] - place % lattice_.grid[2],
                      count = std::min(run, block.columns - j);
        store_run(block.data + i * block.stride + j, count, at(image, block.row + i, offset_of(place)));
        j += count;
      }
  }

 private:
  char* at(int64_t image, int64_t channel, int64_t offset) const {
    return data_ + (image * image_stride_ + channel * channel_stride_ + offset) * bytes_of(dtype_);
  }
  int64_t offset_of(int64_t place) const {
    if (dense_) return place;
    const Lattice& l = lattice_;
    const int64_t line = place / l.grid[2], d = l.first[0] + line / l.grid[1] * l.step[0],
                  h = l.first[1] + line % l.grid[1] * l.step[1],
                  w = l.first[2] + place % l.grid[2] * l.step[2];
    return (d * height_ + h) * width_ + w;
  }
  void store_run(const float* from, int64_t count, char* to) const {
    const int64_t step = dense_ ? 1 : lattice_.step[2];
    if (step == 1) return convert(DType::Float32, dtype_, from, to, count);
    if (dtype_ == DType::Float32) {
      for (int64_t j = 0; j < count; ++j) reinterpret_cast<float*>(to)[j * step] = from[j];
      return;
    }
    uint16_t rounded[kTile];
    for (int64_t j = 0; j < count; j += kTile) {
      const int64_t part = std::min(kTile, count - j);
      convert(DType::Float32, dtype_, from + j, rounded, part);
      for (int64_t i = 0; i < part; ++i) reinterpret_cast<uint16_t*>(to)[(j + i) * step] = rounded[i];
    }
  }

  char* data_ = nullptr;
  DType dtype_;
  int64_t channel_stride_, image_stride_, first_, height_, width_;
  Lattice lattice_;
  int64_t places_;
  bool dense_;  // every place of an image, in order
};

// Calls f(group): side by side where a group is too small for all threads.
template <class F>
void for_groups(int64_t groups, double work, F&& f) {
  const bool side_by_side = groups >= 2 * num_threads() || (groups > 1 && work < 1 << 20);
  parallel_for(0, groups, side_by_side ? 1 : groups, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) f(group);
  });
}

double work_of(const Shapes& s) {
  return static_cast<double>(s.batch * s.places()) * static_cast<double>(s.cout * s.rows());
}

void forward(const Shapes& s, const Tensor& x, const Tensor& w, void* y, const ProductEnding* ending) {
  for_groups(s.groups, work_of(s), [&](int64_t group) {
    const TappedImages images = input_under_taps(s, x, group, all_taps(s));
    const PlacesSource places(images);
    const MatrixSource weights(element(w, group * s.cout * s.rows()), w.dtype(), s.rows(), 1);
    const PlacesTarget target(y, x.dtype(), s.groups * s.cout, group * s.cout, s.out,
                              {{0, 0, 0}, {1, 1, 1}, {s.out[0], s.out[1], s.out[2]}});
    multiply({.kernels = kernels_for(x.dtype()),
              .rows = s.cout,
              .columns = s.batch * s.places(),
              .depth = s.rows(),
              .left = weights,
              .right = places,
              .target = target,
              .ending = ending});
  });
}

// The weights of some taps as the gradient of the input needs them: lines are input channels, depths output
// channels and, within them, taps.
class TransposedWeights : public PanelSource {
 public:
  TransposedWeights(const Shapes& s, const Tensor& w, int64_t group, std::vector<int64_t> taps)
      : s_(s), w_(w), group_(group), taps_(std::move(taps)) {}

  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override {
    if (bytes_of(w_.dtype()) == 4)
      pack_words(block, layout, panels);
    else
      pack_halves(block, layout, panels);
  }

 private:
  // Where the weights of a depth begin; lines lie s_.taps() apart.
  template <class Item>
  const Item* weights_at(int64_t depth, int64_t line) const {
    const auto taps = static_cast<int64_t>(taps_.size());
    const Item* weights = static_cast<const Item*>(element(w_, group_ * s_.cout * s_.rows()));
    return weights + depth / taps * s_.rows() + line * s_.taps() + taps_[static_cast<size_t>(depth % taps)];
  }
  // Elements that are words of a panel already. Panel by panel: then its memory is written in order, and what
  // one output channel adds to it lies side by side.
  void pack_words(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
    const int64_t stride = s_.taps();
    const auto taps = static_cast<int64_t>(taps_.size());
    layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
      for (int64_t d = block.begin; d < block.end;) {
        const int64_t first = d % taps, count = std::min(taps - first, block.end - d);
        const auto* weights = weights_at<uint32_t>(d - first, block.first + at) - taps_[0];
        for (int64_t t = first; t < first + count; ++t, panel += width) {
          const uint32_t* from = weights + taps_[static_cast<size_t>(t)];
          for (int64_t i = 0; i < lines; ++i) panel[i] = from[i * stride];
        }
        d += count;
      }
    });
  }
  void pack_halves(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
    const int64_t stride = s_.taps();
    const Scratch<uint16_t> items(layout.width * block.depths() + 1);
    std::vector<const void*> rows(static_cast<size_t>(block.depths()));
    layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
      for (int64_t d = 0; d < block.depths(); ++d) {
        const auto* from = weights_at<uint16_t>(block.begin + d, block.first + at);
        uint16_t* row = items.data() + d * lines;
        for (int64_t i = 0; i < lines; ++i) row[i] = from[i * stride];
        rows[static_cast<size_t>(d)] = row;
      }
      const Segment segment{0, 0, lines};
      layout.kernels.gather[static_cast<size_t>(packed_type(w_.dtype()))](rows.data(), block.depths(),
                                                                          &segment, 1, false, width, panel);
    });
  }

  const Shapes& s_;
  const Tensor& w_;
  const int64_t group_;
  const std::vector<int64_t> taps_;
};

// One residue of input coordinates modulo the stride, in one dimension: input coordinate first + p * stride
// meets tap k at output coordinate p + offset, for each (k, offset).
struct Residue {
  int64_t first, count;
  std::vector<std::pair<int64_t, int64_t>> taps;
};

std::vector<Residue> residues(const Shapes& s, int dimension) {
  const Window& w = s.window;
  const int64_t stride = w.stride[dimension];
  std::vector<Residue> all;
  for (int64_t first = 0; first < std::min(stride, s.in[dimension]); ++first) {
    Residue r{first, (s.in[dimension] - first + stride - 1) / stride, {}};
    for (int64_t k = 0; k < w.kernel[dimension]; ++k) {
      const int64_t distance = first + w.padding[dimension] - k * w.dilation[dimension];
      if (distance % stride == 0) r.taps.push_back({k, distance / stride});
    }
    all.push_back(std::move(r));
  }
  return all;
}

void input_grad_of_residue(const Shapes& s, const Tensor& gy, const Tensor& w, void* gx,
                           const ProductEnding* ending, int64_t group, const Residue& d, const Residue& h,
                           const Residue& c) {
  TappedImages images = tapped(gy, group, s.groups, s.out, {d.count, h.count, c.count});
  std::vector<int64_t> taps;
  for (const auto& [kd, offset_d] : d.taps)
    for (const auto& [kh, offset_h] : h.taps)
      for (const auto& [kc, offset_c] : c.taps) {
        taps.push_back((kd * s.window.kernel[1] + kh) * s.window.kernel[2] + kc);
        images.taps.push_back({{offset_d, offset_h, offset_c}});
      }
  const auto depth = s.cout * static_cast<int64_t>(taps.size());
  const PlacesSource places(images);
  const TransposedWeights weights(s, w, group, std::move(taps));
  const Window& k = s.window;
  const PlacesTarget target(
      gx, gy.dtype(), s.groups * s.cin, group * s.cin, s.in,
      {{d.first, h.first, c.first}, {k.stride[0], k.stride[1], k.stride[2]}, {d.count, h.count, c.count}});
  multiply({.kernels = kernels_for(gy.dtype()),
            .rows = s.cin,
            .columns = s.batch * images.places(),
            .depth = depth,
            .left = weights,
            .right = places,
            .target = target,
            .ending = ending});
}

void input_grad(const Shapes& s, const Tensor& gy, const Tensor& w, void* gx, const ProductEnding* ending) {
  const std::vector<Residue> d = residues(s, 0), h = residues(s, 1), c = residues(s, 2);
  for_groups(s.groups, work_of(s), [&](int64_t group) {
    for (const Residue& rd : d)
      for (const Residue& rh : h)
        for (const Residue& rc : c) input_grad_of_residue(s, gy, w, gx, ending, group, rd, rh, rc);
  });
}

// Columns of results go to places of a row of the weight's gradient.
class WeightTarget : public ProductTarget {
 public:
  WeightTarget(void* data, DType dtype, int64_t stride, const std::vector<int64_t>& offsets)
      : data_(static_cast<char*>(data)), dtype_(dtype), stride_(stride), offsets_(offsets) {}
  bool place(ResultBlock&) const override { return false; }
  void store(const ResultBlock& block) const override {
    for (int64_t i = 0; i < block.rows; ++i)
      store_row(block.row + i, block.column, block.columns, block.data + i * block.stride);
  }
  void store_row(int64_t row, int64_t column, int64_t columns, const float* from) const {
    char* to = data_ + row * stride_ * bytes_of(dtype_);
    if (dtype_ == DType::Float32) return scatter(from, columns, column, reinterpret_cast<float*>(to));
    if (dtype_ == DType::Float16) return scatter(from, columns, column, reinterpret_cast<Half*>(to));
    scatter(from, columns, column, reinterpret_cast<BFloat16*>(to));
  }

 private:
  template <class T>
  void scatter(const float* from, int64_t columns, int64_t column, T* to) const {
    const int64_t* offsets = offsets_.data() + column;
    for (int64_t j = 0; j < columns; ++j) to[offsets[j]] = T(from[j]);
  }

  char* data_;
  DType dtype_;
  int64_t stride_;
  const std::vector<int64_t>& offsets_;
};

// A range of the depth of an operand.
class DepthRange : public PanelSource {
 public:
  DepthRange(const PanelSource& whole, int64_t begin) : whole_(whole), begin_(begin) {}
  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override {
    whole_.pack({block.first, block.lines, begin_ + block.begin, begin_ + block.end}, layout, panels);
  }

 private:
  const PanelSource& whole_;
  int64_t begin_;
};

// Few results of great depth: a fixed number of partial sums over the batch, whatever the number of threads,
// so that the result is the same with any.
void multiply_in_parts(const Product& product, int64_t parts, const WeightTarget& target) {
  const int64_t size = product.rows * product.columns;
  const Scratch<float> partial(parts * size);
  parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t from = part * product.depth / parts, to = (part + 1) * product.depth / parts;
      const DepthRange left(product.left, from), right(product.right, from);
      const MatrixTarget sums(partial.data() + part * size, DType::Float32, product.columns);
      multiply({product.kernels, product.rows, product.columns, to - from, left, right, sums});
    }
  });
  float* sums = partial.data();
  for (int64_t part = 1; part < parts; ++part)
    for (int64_t i = 0; i < size; ++i) sums[i] += sums[part * size + i];
  for (int64_t row = 0; row < product.rows; ++row)
    target.store_row(row, 0, product.columns, sums + row * product.columns);
}

void weight_grad(const Shapes& s, const Tensor& x, const Tensor& gy, void* gw) {
  constexpr int64_t kFewResults = int64_t{1} << 18, kParts = 8;
  for_groups(s.groups, work_of(s), [&](int64_t group) {
    const std::vector<int64_t> order = taps_by_phase(s);
    const TappedImages results = tapped(gy, group, s.groups, s.out, s.out),
                       images = input_under_taps(s, x, group, order);
    const ChannelsSource gradients(results), channels(images);
    const TapsSource taps(images);
    const bool pointwise = s.is_pointwise();
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < s.rows(); ++i) {
      const auto [channel, tap] = taps.line(i);
      offsets.push_back(pointwise ? i : channel * s.taps() + order[static_cast<size_t>(tap)]);
    }
    char* weights = static_cast<char*>(gw) + group * s.cout * s.rows() * bytes_of(x.dtype());
    const WeightTarget target(weights, x.dtype(), s.rows(), offsets);
    const PanelSource* right = &taps;
    if (pointwise) right = &channels;
    const Product product{product_kernels(),
                          s.cout,
                          s.rows(),
                          s.batch * s.places(),
                          gradients,
                          *right,
                          target,
                          false,
                          pointwise ? 1 : taps.group_lines()};
    const int64_t parts = std::min(s.batch, kParts);
    if (s.cout * s.rows() <= kFewResults && parts > 1)
      multiply_in_parts(product, parts, target);
    else
      multiply(product);
  });
}

// Gradients for which columns are cheap: each element is under one tap, or there are few weights.
bool is_quick_by_columns(const Shapes& s, Convolution::Kind kind) {
  constexpr int64_t kFewPairs = 64;  // of channels
  const Window& w = s.window;
  const bool apart = w.kernel[0] <= w.stride[0] && w.kernel[1] <= w.stride[1] && w.kernel[2] <= w.stride[2];
  if (kind == Convolution::Forward) return false;
  if (apart && !s.is_pointwise()) return true;
  return kind == Convolution::WeightGrad && s.cin * s.cout <= kFewPairs;
}

}  // namespace

bool is_packed(const Shapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b) {
  // Fewer channels would leave tiles half empty.
  constexpr int64_t kFewChannels = 6;
  if (compute_type(a.dtype()) != DType::Float32 || a.dtype() != b.dtype()) return false;
  if (a.dtype() == DType::Float32 && is_quick_by_columns(s, kind)) return false;
  return (kind == Convolution::InputGrad ? s.cin : s.cout) >= kFewChannels;
}

bool takes_ending(const Shapes& s, Convolution::Kind kind) {
  const int64_t (&stride)[3] = s.window.stride;
  return kind == Convolution::Forward ||
         (kind == Convolution::InputGrad && stride[0] == 1 && stride[1] == 1 && stride[2] == 1);
}

void packed_convolution(const Shapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b, void* out,
                        const ProductEnding* ending) {
  if (is_winograd(s, kind, a, b)) return winograd_convolution(s, kind, a, b, out, ending);
  if (kind == Convolution::Forward)
    forward(s, a, b, out, ending);
  else if (kind == Convolution::InputGrad)
    input_grad(s, a, b, out, ending);
  else
    weight_grad(s, a, b, out);
}

}  // namespace mlx::cpu
