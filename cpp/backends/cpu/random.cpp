// Random numbers: tiles of Philox words or uniform numbers, turned into each distribution. An element's
// number depends on the seed, the stream's position and the element's place in row-major order, never on
// threads.

#include <cmath>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/philox.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "backends/cpu/vector_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {

const PhiloxKernels& philox_kernels() {
#if defined(__x86_64__)
  static const PhiloxKernels& chosen = &vector_kernels() == &kernels_v4   ? v4::philox
                                       : &vector_kernels() == &kernels_v3 ? v3::philox
                                                                          : v2::philox;
  return chosen;
#else
  return neon::philox;
#endif
}

namespace {

constexpr int64_t kGrain = 16 * kTile;
constexpr int64_t kDoubleGroup = kPhiloxGroup / 2;

constexpr double kTwoPi = 6.283185307179586;

// Uniform doubles in [0, 1) for elements [start, start + n), start a multiple of 32. Room for a whole tile.
void uniform_tile(Stream s, int64_t start, int64_t n, double* out) {
  philox_kernels().uniform_double(s, start / kDoubleGroup, ceil_div(n, kDoubleGroup), out);
}
void uniform_tile(Stream s, int64_t start, int64_t n, float* out) {
  philox_kernels().uniform(s, start / kPhiloxGroup, ceil_div(n, kPhiloxGroup), out);
}

void normal_tile(Stream s, int64_t start, int64_t n, double mean, double deviation, float* out) {
  philox_kernels().normal(s, start / kPhiloxGroup, ceil_div(n, kPhiloxGroup), static_cast<float>(mean),
                          static_cast<float>(deviation), out);
}
void normal_tile(Stream s, int64_t start, int64_t n, double mean, double deviation, double* out) {
  const int64_t whole = round_up(n, kDoubleGroup);
  uniform_tile(s, start, whole, out);
  for (int64_t g = 0; g < whole; g += kDoubleGroup)
    for (int64_t i = g; i < g + kPhiloxBlocks; ++i) {
      const double radius = deviation * std::sqrt(-2 * std::log1p(-out[i])),
                   angle = kTwoPi * out[i + kPhiloxBlocks];
      out[i] = mean + radius * std::cos(angle);
      out[i + kPhiloxBlocks] = mean + radius * std::sin(angle);
    }
}

// The narrow types hold fewer bits than a float has, and rounding up would reach the end of the interval.
void truncate_for(DType dtype, float* p, int64_t n) {
  const float steps = dtype == DType::Float16 ? 2048.0f : 256.0f;
  if (is_reduced(dtype))
    for (int64_t i = 0; i < n; ++i) p[i] = std::floor(p[i] * steps) / steps;
}
void truncate_for(DType, double*, int64_t) {}

template <class Real>
void sample_tile(const Random& k, DType dtype, Stream s, int64_t at, int64_t n, Real* out) {
  const Real a = static_cast<Real>(k.a), b = static_cast<Real>(k.b);
  if (k.distribution == Distribution::Normal) return normal_tile(s, at, n, k.a, k.b, out);
  if (k.distribution == Distribution::LogNormal) {
    normal_tile(s, at, n, k.a, k.b, out);
    for (int64_t i = 0; i < n; ++i) out[i] = std::exp(out[i]);
    return;
  }
  uniform_tile(s, at, n, out);
  switch (k.distribution) {
    case Distribution::Uniform: {
      truncate_for(dtype, out, n);
      // The end is excluded even where rounding would reach it.
      const Real last = b > a ? std::nextafter(b, a) : a;
      if (a != 0 || b != 1)
        for (int64_t i = 0; i < n; ++i) {
          const Real part = out[i] * (b - a);  // rounded by itself, on every device
          out[i] = std::min(part + a, last);
        }
      break;
    }
    case Distribution::Exponential:
      for (int64_t i = 0; i < n; ++i)
        out[i] = std::max(-std::log1p(-out[i]), std::numeric_limits<Real>::min()) / a;
      break;
    case Distribution::Cauchy:
      for (int64_t i = 0; i < n; ++i)
        out[i] = a + b * std::tan(static_cast<Real>(kTwoPi / 2) * (out[i] - Real(0.5)));
      break;
    case Distribution::Geometric:
      // log(1 - u) / log(1 - p), rounded up; u = 0 would give none.
      for (int64_t i = 0; i < n; ++i)
        out[i] = std::max(Real(1), static_cast<Real>(std::ceil(std::log1p(-static_cast<double>(out[i])) /
                                                               std::log1p(-k.a))));
      break;
    default:
      for (int64_t i = 0; i < n; ++i) out[i] = out[i] < a ? Real(1) : Real(0);
  }
}

template <class Real>
void run_real(const Random& k, const Tensor& out) {
  Layout layout(out, out.shape());
  const DType type = std::is_same_v<Real, float> ? DType::Float32 : DType::Float64;
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    TileWriter writer(layout, type);
    alignas(64) Real tile[kTile];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      // Whole groups are written: straight into the result where they fit.
      Real* target = static_cast<Real*>(writer.target(at, n));
      Real* to = n == kTile ? target : tile;
      sample_tile(k, out.dtype(), {k.seed, k.position}, at, n, to);
      if (to != target) std::memcpy(target, tile, static_cast<size_t>(n) * sizeof(Real));
      writer.done(at, n);
    }
  });
}

// `range` numbers of a 32-bit or 64-bit word, by the high part of a product (Lemire, 2019).
uint64_t scaled(uint64_t word, uint64_t range, int bits) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(word) * range) >> bits);
}

void run_integers(const Random& k, const Tensor& out) {
  Layout layout(out, out.shape());
  const bool wide = k.range == 0 || k.range > (uint64_t{1} << 32);
  const int64_t per_group = wide ? kDoubleGroup : kPhiloxGroup;
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    TileWriter writer(layout, DType::Int64);
    alignas(64) uint32_t words[2 * kTile];
    alignas(64) int64_t tile[kTile];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      philox_kernels().words({k.seed, k.position}, at / per_group, ceil_div(n, per_group), words);
      for (int64_t i = 0; i < n; ++i) {
        if (!wide) {
          tile[i] = k.low + static_cast<int64_t>(scaled(words[i], k.range, 32));
          continue;
        }
        const int64_t w = i / kDoubleGroup * kPhiloxGroup +
                          i % kDoubleGroup / kPhiloxBlocks * 2 * kPhiloxBlocks + i % kPhiloxBlocks;
        const uint64_t word = static_cast<uint64_t>(words[w]) << 32 | words[w + kPhiloxBlocks];
        tile[i] =
            static_cast<int64_t>(static_cast<uint64_t>(k.low) + (k.range ? scaled(word, k.range, 64) : word));
      }
      std::memcpy(writer.target(at, n), tile, static_cast<size_t>(n) * sizeof(int64_t));
      writer.done(at, n);
    }
  });
}

void random(const Random& k, const Launch& launch) {
  const Tensor& out = launch.out();
  if (out.numel() == 0) return;
  if (k.distribution == Distribution::Integer) return run_integers(k, out);
  // Two words an element for the types that hold more than a float does.
  if (out.dtype() == DType::Float64 ||
      (!is_inexact(out.dtype()) && k.distribution == Distribution::Geometric))
    run_real<double>(k, out);
  else
    run_real<float>(k, out);
}

void bernoulli(const RandomBernoulli& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (out.numel() == 0) return;
  Layout to(out, out.shape()), from(in, out.shape());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    TileReader reader(from, DType::Float64);
    TileWriter writer(to, DType::Bool);
    alignas(64) double tile[kTile];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      const double* p = static_cast<const double*>(reader.read(at, n));
      uniform_tile({k.seed, k.position}, at, n, tile);
      bool* truth = static_cast<bool*>(writer.target(at, n));
      for (int64_t i = 0; i < n; ++i) {
        if (!(p[i] >= 0 && p[i] <= 1))
          throw RuntimeError("bernoulli(): Expected p_in >= 0 && p_in <= 1 to be true, but got ", p[i]);
        truth[i] = tile[i] < p[i];
      }
      writer.done(at, n);
    }
  });
}

void dropout(const RandomDropout& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (out.numel() == 0) return;
  Layout to(out, out.shape()), from(in, out.shape());
  // The probability as a share of the 2^32 words; 1 drops all of them through the scale.
  const uint32_t threshold = static_cast<uint32_t>(std::min(k.p * 0x1p32, 4294967295.0));
  const float scale = k.p >= 1 ? 0.0f : static_cast<float>(1 / (1 - k.p));
  const bool complex = out.is_complex(), real64 = out.dtype() == DType::Float64;
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    const DType type = complex ? DType::Complex128 : real64 ? DType::Float64 : DType::Float32;
    TileReader reader(from, type);
    TileWriter writer(to, type);
    alignas(64) float values[kTile], kept[kTile];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at), groups = ceil_div(n, kPhiloxGroup);
      const void* tile = reader.read(at, n);
      void* target = writer.target(at, n);
      const Stream stream{k.seed, k.position};
      if (type == DType::Float32 && n == kTile) {
        philox_kernels().dropout(stream, at / kPhiloxGroup, groups, threshold, scale,
                                 static_cast<const float*>(tile), static_cast<float*>(target));
      } else if (type == DType::Float32) {
        std::fill(values, values + kTile, 0.0f);
        std::memcpy(values, tile, static_cast<size_t>(n) * sizeof(float));
        philox_kernels().dropout(stream, at / kPhiloxGroup, groups, threshold, scale, values, kept);
        std::memcpy(target, kept, static_cast<size_t>(n) * sizeof(float));
      } else {
        std::fill(values, values + kTile, 1.0f);
        philox_kernels().dropout(stream, at / kPhiloxGroup, groups, threshold, 1.0f, values, kept);
        const double by = k.p >= 1 ? 0.0 : 1 / (1 - k.p);
        visit_compute(type, [&](auto zero) {
          using T = decltype(zero);
          if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::complex<double>>)
            for (int64_t i = 0; i < n; ++i)
              static_cast<T*>(target)[i] = kept[i] != 0 ? static_cast<const T*>(tile)[i] * by : T(0);
        });
      }
      writer.done(at, n);
    }
  });
}

// ---- one number after the other

// The words of a stream in order, for algorithms that use a varying number of them. Streams that start
// `stride` positions apart do not meet before they have given so many blocks.
class WordReader {
 public:
  explicit WordReader(Stream s) : stream_(s) {}
  uint64_t next64() {
    const uint64_t high = next();
    return high << 32 | next();
  }
  double unit() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

 private:
  Stream stream_;
  int64_t group_ = 0;
  int64_t at_ = kPhiloxGroup;
  alignas(64) uint32_t words_[kPhiloxGroup];

  uint32_t next() {
    if (at_ == kPhiloxGroup) {
      philox_kernels().words(stream_, group_++, 1, words_);
      at_ = 0;
    }
    return words_[at_++];
  }
};

void permutation(const RandomPermutation& k, const Launch& launch) {
  const Tensor& out = launch.out();
  const int64_t n = out.numel();
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  WordReader words({k.seed, k.position});
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[i], order[scaled(words.next64(), static_cast<uint64_t>(i) + 1, 64)]);
  visit(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < n; ++i) out.data<T>()[i * out.stride(0)] = Scalar(order[i]).to<T>();
  });
}

double checked_total(const double* p, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(p[i] >= 0) || std::isinf(p[i]))
      throw RuntimeError("multinomial(): probability tensor contains either `inf`, `nan` or element < 0: ",
                         p[i]);
    total += p[i];
  }
  if (total <= 0)
    throw RuntimeError("multinomial(): invalid multinomial distribution (sum of probabilities <= 0)");
  return total;
}

void draw_with_replacement(const double* p, int64_t n, double total, WordReader& words, int64_t* out,
                           int64_t draws) {
  std::vector<double> sums(static_cast<size_t>(n));
  double sum = 0;
  int64_t last = 0;
  for (int64_t i = 0; i < n; ++i) {
    sums[i] = sum += p[i];
    if (p[i] > 0) last = i;
  }
  for (int64_t d = 0; d < draws; ++d) {
    const int64_t at = std::upper_bound(sums.begin(), sums.end(), words.unit() * total) - sums.begin();
    out[d] = std::min(at, last);
  }
}

// The draws with the smallest exponential numbers of rates p (Efraimidis and Spirakis, 2006).
void draw_without_replacement(const double* p, int64_t n, WordReader& words, int64_t* out, int64_t draws) {
  std::vector<std::pair<double, int64_t>> keys;
  for (int64_t i = 0; i < n; ++i) {
    const double wait = -std::log1p(-words.unit());
    if (p[i] > 0) keys.emplace_back(wait / p[i], i);
  }
  if (static_cast<int64_t>(keys.size()) < draws)
    throw RuntimeError(
        "multinomial(): invalid multinomial distribution (with replacement=False, not enough non-negative "
        "category to sample): ",
        draws, " draws from ", keys.size());
  std::partial_sort(keys.begin(), keys.begin() + draws, keys.end());
  for (int64_t d = 0; d < draws; ++d) out[d] = keys[d].second;
}

void choice(const RandomChoice& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  const int64_t n = in.size(1), draws = out.size(1), item = static_cast<int64_t>(in.item_size());
  WordReader words({k.seed, k.position});
  std::vector<double> row(static_cast<size_t>(n));
  for (int64_t r = 0; r < in.size(0); ++r) {
    convert(in.dtype(), DType::Float64, static_cast<const char*>(in.raw()) + r * n * item, row.data(), n);
    const double* p = row.data();
    const double total = checked_total(p, n);
    int64_t* to = out.data<int64_t>() + r * draws;
    if (k.replacement)
      draw_with_replacement(p, n, total, words, to, draws);
    else
      draw_without_replacement(p, n, words, to, draws);
  }
}

// A Poisson number: by multiplying uniform ones when the mean is small, else by Hörmann's transformed
// rejection (PTRS, 1993).
double poisson(double mean, WordReader& words) {
  if (!(mean >= 0))
    throw RuntimeError("poisson(): invalid Poisson rate, expected rate to be non-negative, got ", mean);
  if (mean == 0) return 0;
  if (mean < 10) {
    const double limit = std::exp(-mean);
    double product = words.unit();
    double count = 0;
    for (; product > limit; ++count) product *= words.unit();
    return count;
  }
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b,
               inv_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = words.unit() - 0.5, v = 1 - words.unit(), us = 0.5 - std::abs(u);
    const double n = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return n;
    if (n < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * inv_alpha / (a / (us * us) + b)) <= n * std::log(mean) - mean - std::lgamma(n + 1))
      return n;
  }
}

// A binomial number: the tries are skipped from success to success by geometric numbers, which takes n p
// steps; large n p is drawn by Hörmann's BTRS (1993).
double binomial(double tries, double p, WordReader& words) {
  if (!(p >= 0 && p <= 1)) throw RuntimeError("binomial(): expected 0 <= p <= 1, got ", p);
  if (!(tries > 0) || p == 0) return 0;
  if (p > 0.5) return tries - binomial(tries, 1 - p, words);
  if (tries * p < 10) {
    double count = 0, at = 0;
    const double scale = std::log1p(-p);
    while (true) {
      at += std::ceil(std::log1p(-words.unit()) / scale);
      if (at > tries) return count;
      ++count;
    }
  }
  const double spread = std::sqrt(tries * p * (1 - p)), b = 1.15 + 2.53 * spread,
               a = -0.0873 + 0.0248 * b + 0.01 * p, c = tries * p + 0.5;
  const double v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread, r = p / (1 - p),
               m = std::floor((tries + 1) * p);
  auto tail = [](double k) { return std::lgamma(k + 1); };
  while (true) {
    const double u = words.unit() - 0.5, v = 1 - words.unit(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + c);
    if (k < 0 || k > tries) continue;
    if (us >= 0.07 && v <= v_r) return k;
    const double log_v = std::log(v * alpha / (a / (us * us) + b));
    if (log_v <= tail(m) + tail(tries - m) - tail(k) - tail(tries - k) + (k - m) * std::log(r)) return k;
  }
}

void count(const RandomCount& k, const Launch& launch) {
  const Tensor& out = launch.out();
  if (out.numel() == 0) return;
  Layout to(out, out.shape()), first(launch.in(0), out.shape()),
      second(launch.in(k.binomial ? 1 : 0), out.shape());
  // A stream of its own for every tile, far from the others.
  parallel_for(0, ceil_div(out.numel(), kTile), 1, [&](int64_t begin, int64_t end) {
    TileReader read_first(first, DType::Float64), read_second(second, DType::Float64);
    TileWriter writer(to, DType::Float64);
    for (int64_t t = begin; t < end; ++t) {
      const int64_t at = t * kTile, n = std::min(kTile, out.numel() - at);
      WordReader words({k.seed ^ (0x9e3779b97f4a7c15u * static_cast<uint64_t>(t + 1)), k.position});
      const double* a = static_cast<const double*>(read_first.read(at, n));
      const double* b = k.binomial ? static_cast<const double*>(read_second.read(at, n)) : nullptr;
      double* values = static_cast<double*>(writer.target(at, n));
      for (int64_t i = 0; i < n; ++i) values[i] = b ? binomial(a[i], b[i], words) : poisson(a[i], words);
      writer.done(at, n);
    }
  });
}

CPU_KERNEL(Random, random);
CPU_KERNEL(RandomBernoulli, bernoulli);
CPU_KERNEL(RandomDropout, dropout);
CPU_KERNEL(RandomPermutation, permutation);
CPU_KERNEL(RandomChoice, choice);
CPU_KERNEL(RandomCount, count);

}  // namespace
}  // namespace mlx::cpu
