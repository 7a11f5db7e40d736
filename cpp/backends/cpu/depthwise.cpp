#include "backends/cpu/depthwise.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

// One channel of an image with its padding. Column c is element c / stride of part c % stride, so that what a
// tap sees along a row of places lies side by side.
class Plane {
 public:
  explicit Plane(const ConvolutionShapes& s) : s_(s), step_(s.window.stride[2]) {
    const Window& w = s.window;
    for (int i = 0; i < 3; ++i) size_[i] = s.in[i] + 2 * w.padding[i];
    pitch_ = ceil_div(size_[2], step_);
    part_ = size_[0] * size_[1] * pitch_;
    for (int64_t d = 0; d < w.kernel[0]; ++d)
      for (int64_t h = 0; h < w.kernel[1]; ++h)
        for (int64_t c = 0; c < w.kernel[2]; ++c) {
          const int64_t column = c * w.dilation[2];
          taps_.push_back(column % step_ * part_ +
                          (d * w.dilation[0] * size_[1] + h * w.dilation[1]) * pitch_ + column / step_);
        }
    elements_.resize(static_cast<size_t>(step_ * part_));
  }

  // Where the taps see, from where a row of places begins; and where that is.
  const std::vector<int64_t>& taps() const { return taps_; }
  float* row(int64_t d, int64_t h) {
    return elements_.data() + (d * s_.window.stride[0] * size_[1] + h * s_.window.stride[1]) * pitch_;
  }
  int64_t row_stride() const { return s_.window.stride[1] * pitch_; }

  void clear() { std::fill(elements_.begin(), elements_.end(), 0.0f); }
  // The padding stays what it is.
  void read(const float* image) {
    for_runs(
        [&](int64_t at, float* run, int64_t count) { row_kernels().move(image + at, step_, run, count); });
  }
  void write(float* image) {
    for_runs([&](int64_t at, const float* run, int64_t count) {
      for (int64_t j = 0; j < count; ++j) image[at + j * step_] = run[j];
    });
  }

 private:
  // Calls f(offset in the image, where it lies, count) for elements that lie `step_` apart in a row of it.
  template <class F>
  void for_runs(F&& f) {
    const int64_t (&padding)[3] = s_.window.padding;
    for (int64_t d = 0; d < s_.in[0]; ++d)
      for (int64_t h = 0; h < s_.in[1]; ++h) {
        const int64_t line = ((d + padding[0]) * size_[1] + h + padding[1]) * pitch_,
                      row = (d * s_.in[1] + h) * s_.in[2];
        for (int64_t c = 0; c < std::min(step_, s_.in[2]); ++c) {
          const int64_t column = c + padding[2];
          f(row + c, elements_.data() + column % step_ * part_ + line + column / step_,
            ceil_div(s_.in[2] - c, step_));
        }
      }
  }

  const ConvolutionShapes& s_;
  const int64_t step_;
  int64_t size_[3], pitch_, part_;
  std::vector<int64_t> taps_;
  std::vector<float> elements_;
};

// Calls f(plane, number of the channel) for every channel of every image.
template <class F>
void for_channels(const ConvolutionShapes& s, F&& f) {
  parallel_for(0, s.batch * s.groups, 1, [&](int64_t begin, int64_t end) {
    Plane plane(s);
    for (int64_t i = begin; i < end; ++i) f(plane, i);
  });
}

// Calls f(row of the plane, row of the result) for every row of places of a channel.
template <class T, class F>
void for_rows(const ConvolutionShapes& s, Plane& plane, T* places, F&& f) {
  for (int64_t d = 0; d < s.out[0]; ++d)
    for (int64_t h = 0; h < s.out[1]; ++h, places += s.out[2]) f(plane.row(d, h), places);
}

}  // namespace

void depthwise_forward(const ConvolutionShapes& s, const float* x, const float* w, float* y) {
  const auto row = row_kernels().correlate.row;
  for_channels(s, [&](Plane& plane, int64_t i) {
    plane.read(x + i * s.in_size());
    for_rows(s, plane, y + i * s.places(), [&](const float* from, float* to) {
      row(from, plane.taps().data(), w + i % s.groups * s.taps(), s.taps(), to, s.out[2]);
    });
  });
}

void depthwise_input_gradient(const ConvolutionShapes& s, const float* gy, const float* w, float* gx) {
  const auto scatter = row_kernels().correlate.scatter;
  for_channels(s, [&](Plane& plane, int64_t i) {
    plane.clear();
    for_rows(s, plane, gy + i * s.places(), [&](float* to, const float* grad) {
      scatter(grad, plane.taps().data(), w + i % s.groups * s.taps(), s.taps(), to, s.out[2]);
    });
    plane.write(gx + i * s.in_size());
  });
}

void depthwise_weight_gradient(const ConvolutionShapes& s, const float* x, const float* gy, float* gw) {
  const auto dot = row_kernels().correlate.dot;
  parallel_for(0, s.groups, 1, [&](int64_t begin, int64_t end) {
    Plane plane(s);
    for (int64_t group = begin; group < end; ++group) {
      std::vector<double> sums(static_cast<size_t>(s.taps()));
      for (int64_t i = group; i < s.batch * s.groups; i += s.groups) {
        plane.read(x + i * s.in_size());
        for (size_t t = 0; t < sums.size(); ++t)
          for (int64_t d = 0; d < s.out[0]; ++d)
            sums[t] += dot(plane.row(d, 0) + plane.taps()[t], plane.row_stride(),
                           gy + i * s.places() + d * s.out[1] * s.out[2], s.out[2], s.out[1], s.out[2]);
      }
      std::copy(sums.begin(), sums.end(), gw + group * s.taps());
    }
  });
}

}  // namespace mlx::cpu
