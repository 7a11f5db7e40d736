#pragma once
// Elements of a row that lie any number of elements apart, moved to where they lie side by side.

#include <cstdint>
#include <cstring>

#include "backends/cpu/vector/vec_native.h"

namespace mlx::cpu::MLX_ISA {

// memcpy's string instructions take ten times as long where both ends have nearly the same offset in their
// pages (Zen 3 and 4); for short rows registers are as fast elsewhere.
MLX_INLINE void copy_row(const void* from, void* to, int64_t bytes) {
  constexpr int64_t kLongRow = int64_t{16} << 10;
  const char* in = static_cast<const char*>(from);
  char* out = static_cast<char*>(to);
  int64_t i = 0;
  if (bytes < kLongRow)
    for (; i + kVectorBytes <= bytes; i += kVectorBytes) {
      NativeInt part;
      std::memcpy(&part, in + i, sizeof part);
      std::memcpy(out + i, &part, sizeof part);
    }
  std::memcpy(out + i, in + i, static_cast<size_t>(bytes - i));
}

// Item is an unsigned integer of the elements' size. The common steps have loops of their own, which become
// shuffles and broadcasts.
template <class Item>
void move_row(const void* from, int64_t step, void* to, int64_t n) {
  const Item* in = static_cast<const Item*>(from);
  Item* out = static_cast<Item*>(to);
  switch (step) {
    case 1:
      copy_row(in, out, n * static_cast<int64_t>(sizeof(Item)));
      return;
    case 0: {
      const Item value = *in;
      for (int64_t i = 0; i < n; ++i) out[i] = value;
      return;
    }
    case -1:
      for (int64_t i = 0; i < n; ++i) out[i] = in[-i];
      return;
    case 2:
      for (int64_t i = 0; i < n; ++i) out[i] = in[2 * i];
      return;
    default:
      for (int64_t i = 0; i < n; ++i) out[i] = in[i * step];
  }
}

}  // namespace mlx::cpu::MLX_ISA
