// Copies between any two layouts and dtypes, fills, and sequences of numbers.

#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32 * kTile;

void copy(const Copy&, const Launch& launch) {
  const Tensor& out = launch.out();
  Layout from(launch.in(0), out.shape()), to(out, out.shape());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (from.contiguous && to.contiguous) {
      auto at = [&](const Layout& l) { return l.data + begin * static_cast<int64_t>(item_size(l.dtype)); };
      if (from.dtype == to.dtype) std::memcpy(at(to), at(from), static_cast<size_t>(end - begin) * item_size(to.dtype));
      else convert(from.dtype, to.dtype, at(from), at(to), end - begin);
      return;
    }
    TileReader reader(from, to.dtype);
    TileWriter writer(to, to.dtype);
    for (int64_t i = begin; i < end; i += kTile) {
      int64_t n = std::min(kTile, end - i);
      const void* tile = reader.read(i, n);
      std::memcpy(writer.target(i), tile, static_cast<size_t>(n) * item_size(to.dtype));
      writer.done(i, n);
    }
  });
}

void fill(const Fill& k, const Launch& launch) {
  const Tensor& out = launch.out();
  Layout to(out, out.shape());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    visit(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T value;
      std::memcpy(static_cast<void*>(&value), k.bits, sizeof value);
      if (to.contiguous) {
        std::fill(reinterpret_cast<T*>(to.data) + begin, reinterpret_cast<T*>(to.data) + end, value);
        return;
      }
      TileWriter writer(to, to.dtype);
      for (int64_t i = begin; i < end; i += kTile) {
        int64_t n = std::min(kTile, end - i);
        std::fill_n(static_cast<T*>(writer.target(i)), n, value);
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
        for (int64_t i = begin; i < end; ++i) p[i] = Scalar(k.start.to_double() + static_cast<double>(i) * k.step.to_double()).to<T>();
    });
  });
}

CPU_KERNEL(Copy, copy);
CPU_KERNEL(Fill, fill);
CPU_KERNEL(Sequence, sequence);

}  // namespace
}  // namespace mlx::cpu
