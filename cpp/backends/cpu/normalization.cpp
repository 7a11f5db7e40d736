// Layer, group and batch normalisation: statistics of a group, then one pass that scales.

#include <cmath>
#include <memory>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kPieces = 16;  // of the sums of parameter gradients: fixed, so that results are too

template <class T>
const NormEntry& entry() {
  return row_kernels().norm[std::is_same_v<T, double>];
}

template <class F>
void with_float(DType t, F&& f) {
  if (t == DType::Float64)
    f(double{});
  else
    f(float{});
}

template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

// Rows of n elements; mean and rstd have one element a row. A missing mean output means RMS normalisation.
void layer_norm(const LayerNorm& k, const Launch& launch) {
  const Tensor &x = launch.in(0), &weight = launch.in(1), &bias = launch.in(2), &out = launch.out(0),
               &means = launch.out(1), &rstds = launch.out(2);
  const int64_t n = x.size(1);
  with_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const NormEntry& e = entry<T>();
    parallel_for(0, x.size(0), std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t r = begin; r < end; ++r) {
                     const T* row = x.data<T>() + r * n;
                     const double mean = k.centred ? e.sum(row, n) / static_cast<double>(n) : 0;
                     const double rstd =
                         1 / std::sqrt(e.squared_deviation(row, n, mean) / static_cast<double>(n) + k.eps);
                     means.data<T>()[r] = static_cast<T>(mean);
                     rstds.data<T>()[r] = static_cast<T>(rstd);
                     e.affine_row(row, out.data<T>() + r * n, n, mean, rstd, data_or_null<T>(weight),
                                  data_or_null<T>(bias));
                   }
                 });
  });
}

void layer_norm_gradient(const LayerNormGradient& k, const Launch& launch) {
  const Tensor &g = launch.in(0), &x = launch.in(1), &means = launch.in(2), &rstds = launch.in(3),
               &weight = launch.in(4);
  const Tensor &dx = launch.out(0), &dw = launch.out(1), &db = launch.out(2);
  const int64_t rows = x.size(0), n = x.size(1), pieces = std::min(kPieces, std::max<int64_t>(rows, 1));
  with_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const NormEntry& e = entry<T>();
    auto parts = std::make_unique<T[]>(dw.defined() ? static_cast<size_t>(2 * pieces * n) : 0);
    parallel_for(0, pieces, std::max<int64_t>(1, kGrain / std::max<int64_t>(x.numel() / pieces, 1)),
                 [&](int64_t first, int64_t last) {
                   for (int64_t r = first * rows / pieces; r < last * rows / pieces; ++r) {
                     const int64_t piece = ((r + 1) * pieces - 1) / rows;
                     const T *gr = g.data<T>() + r * n, *xr = x.data<T>() + r * n;
                     const double mean = means.data<T>()[r], rstd = rstds.data<T>()[r];
                     const T* w = data_or_null<T>(weight);
                     RowSums s = e.gradient_sums(gr, xr, n, mean, rstd, w);
                     const double count = static_cast<double>(n);
                     e.gradient_row(gr, xr, dx.data<T>() + r * n, n, mean, rstd, w,
                                    k.centred ? s.first / count : 0, s.second / count);
                     if (!dw.defined()) continue;
                     e.add_parameter_gradients(gr, xr, n, mean, rstd, parts.get() + 2 * piece * n,
                                               parts.get() + (2 * piece + 1) * n);
                   }
                 });
    for (int64_t i = 0; dw.defined() && i < n; ++i) {
      double w = 0, b = 0;
      for (int64_t p = 0; p < pieces; ++p) {
        w += parts[static_cast<size_t>(2 * p * n + i)];
        b += parts[static_cast<size_t>((2 * p + 1) * n + i)];
      }
      dw.data<T>()[i] = static_cast<T>(w);
      db.data<T>()[i] = static_cast<T>(b);
    }
  });
}

// x is (batch, channels, inner): each channel has inner elements in every one of the batch.
void channel_statistics(const ChannelStatistics&, const Launch& launch) {
  const Tensor &x = launch.in(0), &means = launch.out(0), &variances = launch.out(1);
  const int64_t batch = x.size(0), channels = x.size(1), n = x.size(2);
  with_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const NormEntry& e = entry<T>();
    parallel_for(0, channels, std::max<int64_t>(1, kGrain / std::max<int64_t>(batch * n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t c = begin; c < end; ++c) {
                     const double count = static_cast<double>(batch * n);
                     double sum = 0, squares = 0;
                     for (int64_t b = 0; b < batch; ++b)
                       sum += e.sum(x.data<T>() + (b * channels + c) * n, n);
                     for (int64_t b = 0; b < batch; ++b)
                       squares += e.squared_deviation(x.data<T>() + (b * channels + c) * n, n, sum / count);
                     means.data<T>()[c] = static_cast<T>(sum / count);
                     variances.data<T>()[c] = static_cast<T>(squares / count);
                   }
                 });
  });
}

void channel_affine(const ChannelAffine&, const Launch& launch) {
  const Tensor &x = launch.in(0), &means = launch.in(1), &rstds = launch.in(2), &weight = launch.in(3),
               &bias = launch.in(4), &out = launch.out();
  const int64_t channels = x.size(1), n = x.size(2);
  with_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const NormEntry& e = entry<T>();
    parallel_for(0, x.size(0) * channels, std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t c = i % channels;
                     const double rstd = rstds.data<T>()[c], w = weight.defined() ? weight.data<T>()[c] : 1,
                                  b = bias.defined() ? bias.data<T>()[c] : 0;
                     e.scale_shift(x.data<T>() + i * n, out.data<T>() + i * n, n, means.data<T>()[c],
                                   rstd * w, b);
                   }
                 });
  });
}

void channel_gradient(const ChannelGradient& k, const Launch& launch) {
  const Tensor &g = launch.in(0), &x = launch.in(1), &means = launch.in(2), &rstds = launch.in(3),
               &weight = launch.in(4);
  const Tensor &dx = launch.out(0), &dw = launch.out(1), &db = launch.out(2);
  const int64_t batch = x.size(0), channels = x.size(1), n = x.size(2);
  with_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const NormEntry& e = entry<T>();
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(batch * n, 1));
    parallel_for(0, channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        const double mean = means.data<T>()[c], rstd = rstds.data<T>()[c],
                     w = weight.defined() ? weight.data<T>()[c] : 1;
        RowSums total{0, 0};
        for (int64_t b = 0; b < batch; ++b) {
          const int64_t at = (b * channels + c) * n;
          RowSums s = e.gradient_sums(g.data<T>() + at, x.data<T>() + at, n, mean, rstd, nullptr);
          total = {total.first + s.first, total.second + s.second};
        }
        dw.data<T>()[c] = static_cast<T>(total.second);
        db.data<T>()[c] = static_cast<T>(total.first);
        const double count = static_cast<double>(batch * n), a = total.first / count,
                     d = total.second / count;
        for (int64_t b = 0; b < batch; ++b) {
          const int64_t at = (b * channels + c) * n;
          if (!k.training) {  // the input takes no part, not even times zero: it may be infinite
            e.scale_shift(g.data<T>() + at, dx.data<T>() + at, n, 0, w * rstd, 0);
            continue;
          }
          e.scaled_gradient(g.data<T>() + at, x.data<T>() + at, dx.data<T>() + at, n, mean, rstd, w * rstd, a,
                            d);
        }
      }
    });
  });
}

CPU_KERNEL(LayerNorm, layer_norm);
CPU_KERNEL(LayerNormGradient, layer_norm_gradient);
CPU_KERNEL(ChannelStatistics, channel_statistics);
CPU_KERNEL(ChannelAffine, channel_affine);
CPU_KERNEL(ChannelGradient, channel_gradient);

}  // namespace
}  // namespace mlx::cpu
