// Matrix products by tiles. A group of four simdgroups computes 64 x 64 results, 16 terms of the sums at a time: the
// operands' tiles are gathered into threadgroup memory, and each simdgroup multiplies a quarter by 8 x 8 matrices.
//
// Who uses it says what is multiplied by a struct with
//   m, n, k                            the sizes
//   read_a(row, term), read_b(term, column)   the operands' elements, of type Tile
//   a_by_terms, b_by_columns           the order in which neighbours in memory follow one another
//   write(row, column, sum)            where results go

#define TILE 64
#define TERMS 16
#define PRODUCT_THREADS 128

template <typename Tile, typename Operands>
inline void gather_tiles(thread const Operands& of, uint2 corner, uint term, threadgroup Tile* a, threadgroup Tile* b,
                         uint thread_index) {
  for (uint i = thread_index; i < TILE * TERMS; i += PRODUCT_THREADS) {
    const uint row = of.a_by_terms ? i / TERMS : i % TILE, t = of.a_by_terms ? i % TERMS : i / TILE;
    const bool inside = corner.y + row < of.m && term + t < of.k;
    a[row * TERMS + t] = inside ? of.read_a(corner.y + row, term + t) : Tile(0);
  }
  for (uint i = thread_index; i < TILE * TERMS; i += PRODUCT_THREADS) {
    const uint column = of.b_by_columns ? i % TILE : i / TERMS, t = of.b_by_columns ? i / TILE : i % TERMS;
    const bool inside = corner.x + column < of.n && term + t < of.k;
    b[t * TILE + column] = inside ? of.read_b(term + t, corner.x + column) : Tile(0);
  }
}

template <typename Tile, typename Operands>
inline void tiled_product(thread const Operands& of, uint2 group, threadgroup float* memory, uint thread_index,
                          uint simdgroup) {
  threadgroup Tile* a = reinterpret_cast<threadgroup Tile*>(memory);
  threadgroup Tile* b = a + TILE * TERMS;
  const uint2 corner = group * TILE;
  const uint row = simdgroup / 2 * 32, column = simdgroup % 2 * 32;
  simdgroup_matrix<float, 8, 8> sums[4][4];
  for (uint i = 0; i < 4; ++i)
    for (uint j = 0; j < 4; ++j) sums[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  for (uint term = 0; term < of.k; term += TERMS) {
    gather_tiles<Tile>(of, corner, term, a, b, thread_index);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint t = 0; t < TERMS; t += 8) {
      simdgroup_matrix<Tile, 8, 8> left[4], right[4];
      for (uint i = 0; i < 4; ++i) {
        simdgroup_load(left[i], a + (row + 8 * i) * TERMS + t, TERMS);
        simdgroup_load(right[i], b + t * TILE + column + 8 * i, TILE);
      }
      for (uint i = 0; i < 4; ++i)
        for (uint j = 0; j < 4; ++j) simdgroup_multiply_accumulate(sums[i][j], left[i], right[j], sums[i][j]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  for (uint i = 0; i < 4; ++i)
    for (uint j = 0; j < 4; ++j)
      simdgroup_store(sums[i][j], memory + (row + 8 * i) * TILE + column + 8 * j, TILE);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint i = thread_index; i < TILE * TILE; i += PRODUCT_THREADS) {
    const uint r = corner.y + i / TILE, c = corner.x + i % TILE;
    if (r < of.m && c < of.n) of.write(r, c, memory[i]);
  }
}
