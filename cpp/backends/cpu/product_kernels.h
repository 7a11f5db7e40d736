#pragma once
// The innermost loops of the packed product (product.h), compiled once per instruction set.
//
// A product of packed operands multiplies panels. A panel holds a few lines of an operand (rows of the left
// one, columns of the right one) side by side: all lines' elements of depth 0, then of depth 1, and so on, so
// that the loop over the depth reads memory in order. An element of a panel is a word of 32 bits: a float, or
// two bfloat16 of neighbouring depths where the processor multiplies such pairs.

#include <array>
#include <cstdint>

#include "base/sizes.h"

namespace mlx::cpu {

// Lines lane, lane + 1, ... of a panel lie at offset, offset + 1, ... behind the start of each row.
struct Segment {
  int64_t lane, offset, length;
};

// The element types that a panel can be packed from.
enum class PackedType : uint8_t { Float32, Float16, BFloat16 };
inline constexpr int kPackedTypes = 3;

inline constexpr int kMaxTileRows = 8, kTileVectors = 3;

// One tile: c[i][j] = (add ? c[i][j] : 0) + sum over s < steps of a[s][i] * b[s][j] for the tile's rows and
// j < columns. What a step reads of `b` are the tile's registers, b_stride words apart. What it reads of `a`
// lies side by side, a_stride words from step to step (`tiles`), or a_stride words from row to row, and then
// steps side by side
// (`row_tiles`).
using TileKernel = void (*)(int64_t steps, const uint32_t* a, int64_t a_stride, const uint32_t* b,
                            int64_t b_stride, float* c, int64_t ldc, bool add, int64_t columns);
// By rows - 1 and registers - 1.
using TileTable = std::array<std::array<TileKernel, kTileVectors>, kMaxTileRows>;

struct ProductKernels {
  int rows;   // of a tile, and lines of a panel of the left operand
  int lanes;  // of a register; a panel of the right operand is one to kTileVectors registers wide
  int depth;  // elements of one word
  TileTable tiles, row_tiles;

  // Packs `depths` rows that begin at rows[0], rows[1], ..., whose lines lie in segments. Panels are `width`
  // words wide. With `overrun`, a register of elements behind a segment's end may be read, and behind the
  // panel's end written.
  void (*gather[kPackedTypes])(const void* const* rows, int64_t depths, const Segment* segments,
                               int64_t count, bool overrun, int64_t width, void* panel);
  // Packs `lines` lines of contiguous depths that lie `stride` elements apart.
  void (*transpose[kPackedTypes])(const void* from, int64_t stride, int64_t lines, int64_t depths,
                                  int64_t width, void* panel);

  int64_t steps(int64_t depths) const { return ceil_div(depths, depth); }
  int64_t panel_columns() const { return int64_t{kTileVectors} * lanes; }
};

// The kernels whose words are floats; all three types are widened into them.
const ProductKernels& product_kernels();

// The kernels whose words are pairs of bfloat16; null where the processor has no instructions for that.
const ProductKernels* bfloat16_pair_kernels();

// The faster ones of both for products of bfloat16.
const ProductKernels& bfloat16_product_kernels();

}  // namespace mlx::cpu
