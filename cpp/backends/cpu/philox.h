#pragma once
// The tables of random-number kernels that are compiled once per instruction set.
//
// Philox 4x32-10 turns a seed and a block's position into four 32-bit words. Elements come in groups of 16
// blocks: the 64 words of a group are first the 16 blocks' words 0, then their words 1, 2 and 3. This order
// suits registers of any width up to 16 lanes, so the numbers do not depend on the instruction set.

#include <cstdint>

namespace mlx::cpu {

inline constexpr int64_t kPhiloxBlocks = 16;  // of a group
inline constexpr int64_t kPhiloxGroup = 64;   // words of a group

struct Stream {
  uint64_t seed;
  uint64_t position;  // of the first block
};

// Each writes `groups` whole groups from group number `first` of the stream on: 64 elements of 32 bits or 32
// of 64 bits a group.
struct PhiloxKernels {
  void (*words)(Stream stream, int64_t first, int64_t groups, uint32_t* out);
  void (*uniform)(Stream stream, int64_t first, int64_t groups, float* out);  // [0, 1), 24 bits
  void (*normal)(Stream stream, int64_t first, int64_t groups, float mean, float deviation, float* out);
  void (*uniform_double)(Stream stream, int64_t first, int64_t groups, double* out);  // [0, 1), 53 bits
  // out = in where the element's word is at least `threshold`, times `scale`; else zero.
  void (*dropout)(Stream stream, int64_t first, int64_t groups, uint32_t threshold, float scale,
                  const float* in, float* out);
};

#if defined(__x86_64__)
namespace v2 {
extern const PhiloxKernels philox;
}
namespace v3 {
extern const PhiloxKernels philox;
}
namespace v4 {
extern const PhiloxKernels philox;
}
#else
namespace neon {
extern const PhiloxKernels philox;
}
#endif

// The table of the instruction set that vector_kernels() chose.
const PhiloxKernels& philox_kernels();

}  // namespace mlx::cpu
