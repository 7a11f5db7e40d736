// Convolutions of the types that the packed product does not know, and of few channels, as matrix products:
// the elements under the kernel become columns (im2col), in blocks of places that stay in the second-level
// cache.

#include <cstring>

#include "backends/cpu/blas.h"
#include "backends/cpu/convolution_shapes.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/depthwise.h"
#include "backends/cpu/product_endings.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

using Shapes = ConvolutionShapes;

// How many places a block of columns holds: about half a megabyte.
template <class T>
int64_t block_of(const Shapes& s) {
  int64_t fit = (int64_t{1} << 19) / static_cast<int64_t>(sizeof(T)) / std::max<int64_t>(s.rows(), 1);
  return std::clamp<int64_t>(fit / s.out[2] * s.out[2], s.out[2], std::max<int64_t>(s.places(), 1));
}

// Calls visit(tap row of the column matrix, output place, input offset, run length) for every run of
// output places in one row of the output whose inputs lie inside. Places [begin, end) are whole rows.
template <class Visit>
void for_taps(const Shapes& s, int64_t begin, int64_t end, Visit&& visit) {
  const Window& w = s.window;
  int64_t row = 0;
  for (int64_t c = 0; c < s.cin; ++c)
    for (int64_t kd = 0; kd < w.kernel[0]; ++kd)
      for (int64_t kh = 0; kh < w.kernel[1]; ++kh)
        for (int64_t kw = 0; kw < w.kernel[2]; ++kw, ++row) {
          // Output columns whose input column lies inside: first <= j < last.
          int64_t shift = kw * w.dilation[2] - w.padding[2];
          int64_t first = shift >= 0 ? 0 : (-shift + w.stride[2] - 1) / w.stride[2];
          int64_t last = s.in[2] - shift <= 0
                             ? 0
                             : std::min(s.out[2], (s.in[2] - shift + w.stride[2] - 1) / w.stride[2]);
          for (int64_t place = begin; place < end; place += s.out[2]) {
            int64_t line = place / s.out[2];
            int64_t d = line / s.out[1] * w.stride[0] + kd * w.dilation[0] - w.padding[0];
            int64_t h = line % s.out[1] * w.stride[1] + kh * w.dilation[1] - w.padding[1];
            bool inside = d >= 0 && d < s.in[0] && h >= 0 && h < s.in[1] && first < last;
            int64_t source = ((c * s.in[0] + d) * s.in[1] + h) * s.in[2] + first * w.stride[2] + shift;
            visit(row, place - begin, inside ? first : 0, inside ? last : 0, source);
          }
        }
}

// columns[row][place] = the input under tap `row` of the kernel at `place`, zero in the padding. Rows of the
// matrix are `width` apart.
template <class T>
void im2col(const Shapes& s, const T* x, int64_t begin, int64_t end, T* columns, int64_t width) {
  const int64_t step = s.window.stride[2];
  for_taps(s, begin, end, [&](int64_t row, int64_t place, int64_t first, int64_t last, int64_t source) {
    T* to = columns + row * width + place;
    std::fill(to, to + first, T(0));
    if (step == 1 && last > first)
      std::memcpy(static_cast<void*>(to + first), x + source, static_cast<size_t>(last - first) * sizeof(T));
    else
      for (int64_t j = first; j < last; ++j) to[j] = x[source + (j - first) * step];
    std::fill(to + last, to + s.out[2], T(0));
  });
}

// The reverse: adds each column element to the input element it came from.
template <class T>
void col2im(const Shapes& s, const T* columns, int64_t begin, int64_t end, T* x, int64_t width) {
  const int64_t step = s.window.stride[2];
  for_taps(s, begin, end, [&](int64_t row, int64_t place, int64_t first, int64_t last, int64_t source) {
    const T* from = columns + row * width + place;
    for (int64_t j = first; j < last; ++j) x[source + (j - first) * step] += from[j];
  });
}

// c = op(a) @ op(b) + beta * c for any element type; integers wrap.
template <class T>
void multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
              int64_t ldb, bool add, T* c, int64_t ldc) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        U total = add ? static_cast<U>(c[i * ldc + j]) : U(0);
        for (int64_t p = 0; p < k; ++p)
          total += static_cast<U>(ta ? a[p * lda + i] : a[i * lda + p]) *
                   static_cast<U>(tb ? b[j * ldb + p] : b[p * ldb + j]);
        c[i * ldc + j] = static_cast<T>(total);
      }
  } else {
    gemm<T>(ta, tb, m, n, k, T(1), a, lda, b, ldb, T(add ? 1 : 0), c, ldc);
  }
}

// One input channel and one output channel a group, of other types than float: a sum of shifted rows.
template <class T>
void depthwise(const Shapes& s, const T* x, const T* w, T* y) {
  const int64_t step = s.window.stride[2], taps = s.taps();
  parallel_for(0, s.batch * s.groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* out = y + i * s.places();
      const T *in = x + i * s.in_size(), *weights = w + i % s.groups * taps;
      std::fill(out, out + s.places(), T(0));
      for_taps(s, 0, s.places(),
               [&](int64_t tap, int64_t place, int64_t first, int64_t last, int64_t source) {
                 T* to = out + place;
                 const T factor = weights[tap];
                 if (step == 1)
                   for (int64_t j = first; j < last; ++j) to[j] += factor * in[source + j - first];
                 else
                   for (int64_t j = first; j < last; ++j) to[j] += factor * in[source + (j - first) * step];
               });
    }
  });
}

// Images with few places share a matrix, since a product with few columns is slow: the columns of one image
// stand beside those of the next, and the whole pool works on one product.
template <class T>
class SharedColumns {
 public:
  static bool serves(const Shapes& s) {
    return s.places() <= kFewPlaces && s.groups <= 4 && s.batch > 0 && s.places() > 0 && s.rows() > 0;
  }
  explicit SharedColumns(const Shapes& s)
      : s_(s),
        images_(std::clamp<int64_t>(kColumns / s.places(), 1, s.batch)),
        columns_(s.rows() * images_ * s.places()),
        results_(s.cout * images_ * s.places()) {}

  void forward(const T* x, const T* w, T* y) {
    for_blocks([&](int64_t group, int64_t first, int64_t count) {
      const int64_t width = count * s_.places();
      make_columns(x, group, first, count);
      multiply<T>(false, false, s_.cout, width, s_.rows(), w + group * s_.cout * s_.rows(), s_.rows(),
                  columns(), width, false, results(), width);
      for_rows(group, first, count,
               [&](int64_t at, int64_t row) { std::copy_n(results() + row, s_.places(), y + at); });
    });
  }

  void input_grad(const T* gy, const T* w, T* gx) {
    for_blocks([&](int64_t group, int64_t first, int64_t count) {
      const int64_t width = count * s_.places();
      gather(gy, group, first, count);
      multiply<T>(true, false, s_.rows(), width, s_.cout, w + group * s_.cout * s_.rows(), s_.rows(),
                  results(), width, false, columns(), width);
      parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          T* out = gx + ((first + i) * s_.groups + group) * s_.cin * s_.in_size();
          std::fill(out, out + s_.cin * s_.in_size(), T(0));
          col2im(s_, columns() + i * s_.places(), 0, s_.places(), out, width);
        }
      });
    });
  }

  void weight_grad(const T* x, const T* gy, T* gw) {
    for_blocks([&](int64_t group, int64_t first, int64_t count) {
      const int64_t width = count * s_.places();
      make_columns(x, group, first, count);
      gather(gy, group, first, count);
      multiply<T>(false, true, s_.cout, s_.rows(), width, results(), width, columns(), width, first > 0,
                  gw + group * s_.cout * s_.rows(), s_.rows());
    });
  }

 private:
  static constexpr int64_t kFewPlaces = 256, kColumns = 1024;

  T* columns() const { return columns_.data(); }
  T* results() const { return results_.data(); }

  template <class F>
  void for_blocks(F&& f) {
    for (int64_t group = 0; group < s_.groups; ++group)
      for (int64_t first = 0; first < s_.batch; first += images_)
        f(group, first, std::min(images_, s_.batch - first));
  }
  void make_columns(const T* x, int64_t group, int64_t first, int64_t count) {
    parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        im2col(s_, x + ((first + i) * s_.groups + group) * s_.cin * s_.in_size(), 0, s_.places(),
               columns() + i * s_.places(), count * s_.places());
    });
  }
  // Calls f(offset in a tensor of y's shape, offset in the results) for each output channel of each image.
  template <class F>
  void for_rows(int64_t group, int64_t first, int64_t count, F&& f) {
    parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t c = 0; c < s_.cout; ++c)
          f((((first + i) * s_.groups + group) * s_.cout + c) * s_.places(), (c * count + i) * s_.places());
    });
  }
  void gather(const T* gy, int64_t group, int64_t first, int64_t count) {
    for_rows(group, first, count,
             [&](int64_t at, int64_t row) { std::copy_n(gy + at, s_.places(), results() + row); });
  }

  const Shapes& s_;
  const int64_t images_;  // that share a matrix
  const Scratch<T> columns_, results_;
};

template <class T>
void forward(const Shapes& s, const T* x, const T* w, T* y) {
  if constexpr (std::is_same_v<T, float>)
    if (is_depthwise(s)) return depthwise_forward(s, x, w, y);
  if (is_depthwise(s)) return depthwise(s, x, w, y);
  if (SharedColumns<T>::serves(s)) return SharedColumns<T>(s).forward(x, w, y);
  const int64_t block = s.is_pointwise() ? s.places() : block_of<T>(s), blocks = ceil_div(s.places(), block);
  parallel_for(0, s.batch * s.groups * blocks, 1, [&](int64_t begin, int64_t end) {
    const Scratch<T> columns(s.is_pointwise() ? 0 : s.rows() * block);
    for (int64_t i = begin; i < end; ++i) {
      int64_t image = i / blocks, from = i % blocks * block, to = std::min(from + block, s.places()),
              group = image % s.groups;
      const T* in = x + image * s.cin * s.in_size();
      if (!s.is_pointwise()) im2col(s, in, from, to, columns.data(), to - from);
      multiply<T>(false, false, s.cout, to - from, s.rows(), w + group * s.cout * s.rows(), s.rows(),
                  s.is_pointwise() ? in : columns.data(), s.is_pointwise() ? s.places() : to - from, false,
                  y + image * s.cout * s.places() + from, s.places());
    }
  });
}

template <class T>
void input_grad(const Shapes& s, const T* gy, const T* w, T* gx) {
  if constexpr (std::is_same_v<T, float>)
    if (is_depthwise(s)) return depthwise_input_gradient(s, gy, w, gx);
  if (SharedColumns<T>::serves(s)) return SharedColumns<T>(s).input_grad(gy, w, gx);
  parallel_for(0, s.batch * s.groups, 1, [&](int64_t begin, int64_t end) {
    const int64_t block = block_of<T>(s);
    const Scratch<T> columns(s.is_pointwise() ? 0 : s.rows() * block);
    for (int64_t image = begin; image < end; ++image) {
      T* out = gx + image * s.cin * s.in_size();
      const T *grad = gy + image * s.cout * s.places(), *weights = w + image % s.groups * s.cout * s.rows();
      if (s.is_pointwise()) {
        multiply<T>(true, false, s.rows(), s.places(), s.cout, weights, s.rows(), grad, s.places(), false,
                    out, s.places());
        continue;
      }
      std::fill(out, out + s.cin * s.in_size(), T(0));
      for (int64_t from = 0; from < s.places(); from += block) {
        int64_t to = std::min(from + block, s.places());
        multiply<T>(true, false, s.rows(), to - from, s.cout, weights, s.rows(), grad + from, s.places(),
                    false, columns.data(), to - from);
        col2im(s, columns.data(), from, to, out, to - from);
      }
    }
  });
}

template <class T>
void weight_grad(const Shapes& s, const T* x, const T* gy, T* gw) {
  if constexpr (std::is_same_v<T, float>)
    if (is_depthwise(s)) return depthwise_weight_gradient(s, x, gy, gw);
  if (SharedColumns<T>::serves(s)) return SharedColumns<T>(s).weight_grad(x, gy, gw);
  // A fixed number of partial sums over the batch, whatever the number of threads: the result is the
  // same with any.
  const int64_t parts = std::min<int64_t>(s.batch, 8), size = s.groups * s.cout * s.rows();
  std::vector<T> partial(static_cast<size_t>(parts * size), T(0));
  parallel_for(0, parts * s.groups, 1, [&](int64_t begin, int64_t end) {
    const int64_t block = block_of<T>(s);
    const Scratch<T> columns(s.is_pointwise() ? 0 : s.rows() * block);
    for (int64_t i = begin; i < end; ++i) {
      int64_t part = i / s.groups, group = i % s.groups;
      T* sum = partial.data() + part * size + group * s.cout * s.rows();
      for (int64_t n = part * s.batch / parts; n < (part + 1) * s.batch / parts; ++n) {
        const T *in = x + (n * s.groups + group) * s.cin * s.in_size(),
                *grad = gy + (n * s.groups + group) * s.cout * s.places();
        if (s.is_pointwise()) {
          multiply<T>(false, true, s.cout, s.rows(), s.places(), grad, s.places(), in, s.places(), true, sum,
                      s.rows());
          continue;
        }
        for (int64_t from = 0; from < s.places(); from += block) {
          int64_t to = std::min(from + block, s.places());
          im2col(s, in, from, to, columns.data(), to - from);
          multiply<T>(false, true, s.cout, s.rows(), to - from, grad + from, s.places(), columns.data(),
                      to - from, true, sum, s.rows());
        }
      }
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    T total(0);
    for (int64_t p = 0; p < parts; ++p) total += partial[static_cast<size_t>(p * size + i)];
    gw[i] = total;
  }
}

// The tensor in the compute type.
Tensor widened(const Tensor& t, DType compute) {
  if (t.dtype() == compute) return t;
  Tensor out = allocate(t.shape(), compute);
  copy_elements(out, t);
  return out;
}

// Adds a number a channel to (batch, channels, ...).
template <class T>
void add_bias(const Tensor& out, const T* bias) {
  const int64_t channels = out.size(1), places = out.numel() / (out.size(0) * channels);
  T* first = out.data<T>();
  parallel_for(0, out.size(0) * channels, std::max<int64_t>(1, 32768 / places),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   for (T* y = first + i * places; y < first + (i + 1) * places; ++y)
                     *y = static_cast<T>(*y + bias[i % channels]);
               });
}

// In the compute type, by BLAS, or row by row where channels stand alone.
void unpacked_convolution(const Shapes& s, const Convolution& k, const Launch& launch) {
  const DType compute = compute_type(launch.out().dtype());
  const Tensor a = widened(launch.in(0), compute), b = widened(launch.in(1), compute);
  const Tensor out = launch.out().dtype() == compute ? launch.out() : allocate(launch.out().shape(), compute);
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    const T *p = a.data<T>(), *q = b.data<T>();
    T* r = out.data<T>();
    if (k.kind == Convolution::Forward)
      forward(s, p, q, r);
    else if (k.kind == Convolution::InputGrad)
      input_grad(s, p, q, r);
    else
      weight_grad(s, p, q, r);
    if (launch.inputs.size() > 2) add_bias<T>(out, widened(launch.in(2), compute).data<T>());
  });
  if (!out.is(launch.out())) copy_elements(launch.out(), out);
}

void convolution(const Convolution& k, const Launch& launch) {
  const Tensor &a = launch.in(0), &b = launch.in(1), &out = launch.out();
  const Shapes s = shapes_of(k, a, b, out.shape());
  const bool biased = launch.inputs.size() > 2;
  if (!is_packed(s, k.kind, a, b) || a.dtype() != out.dtype() || (biased && !takes_ending(s, k.kind)))
    return unpacked_convolution(s, k, launch);
  if (!biased) return packed_convolution(s, k.kind, a, b, out.raw());
  const AddendEnding bias(launch.in(2), out.shape(), {0, 1, 0, 0, 0});
  packed_convolution(s, k.kind, a, b, out.raw(), &bias);
}

CPU_KERNEL(Convolution, convolution);

}  // namespace

ConvolutionShapes shapes_of(const Convolution& k, const Tensor& a, const Tensor& b, const Shape& out) {
  const Shape& x = k.kind == Convolution::InputGrad ? out : a.shape();
  const Shape& y = k.kind == Convolution::Forward     ? out
                   : k.kind == Convolution::InputGrad ? a.shape()
                                                      : b.shape();
  Shapes s;
  s.batch = x[0];
  s.groups = k.groups;
  s.cin = x[1] / k.groups;
  s.cout = y[1] / k.groups;
  for (size_t i = 0; i < 3; ++i) {
    s.in[i] = x[i + 2];
    s.out[i] = y[i + 2];
  }
  s.window = k.window;
  return s;
}

}  // namespace mlx::cpu
