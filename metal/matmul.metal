// Products of stacks of matrices with any strides. T is the elements' type, SUM the type of the sums, which go to
// FINISH.
#include "product.h"

#define MAX_STACK 6

struct Layout {
  uint m, n, k, stack_dims;
  uint stack[MAX_STACK];
  long a_stack[MAX_STACK], b_stack[MAX_STACK];
  long a_row, a_column, b_row, b_column;
};

// One of the stack.
struct Matrices {
  device const T* a;
  device const T* b;
  constant Layout& layout;
  Finish finish;
  Index first;  // the number of its first result
  uint m, n, k;
  bool a_by_terms, b_by_columns;

  Matrices(device const T* first_a, device const T* first_b, constant Layout& l, Finish f, uint number)
      : a(first_a), b(first_b), layout(l), finish(f), first(Index(number) * l.m * l.n), m(l.m), n(l.n), k(l.k),
        a_by_terms(l.a_row != 1), b_by_columns(l.b_row != 1) {
    for (int d = int(l.stack_dims) - 1; d >= 0; --d) {
      const long at = number % l.stack[d];
      number /= l.stack[d];
      a += at * l.a_stack[d];
      b += at * l.b_stack[d];
    }
  }
  T read_a(uint row, uint term) const { return a[row * layout.a_row + term * layout.a_column]; }
  T read_b(uint term, uint column) const { return b[term * layout.b_row + column * layout.b_column]; }
  void write(uint row, uint column, SUM sum) const { finish(first + Index(row) * n + column, sum); }
};

#if TILED
kernel void matmul(device const T* a [[buffer(0)]], device const T* b [[buffer(1)]],
                   constant Layout& layout [[buffer(2)]], FINISH_PARAMETERS, uint3 group [[threadgroup_position_in_grid]],
                   uint thread_index [[thread_index_in_threadgroup]],
                   uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float memory[TILE * TILE];
  const Matrices matrices(a, b, layout, FINISH, group.z);
  tiled_product<T>(matrices, group.xy, memory, thread_index, simdgroup);
}

// A matrix and a vector: each simdgroup makes one result, its lanes side by side along the sum.
kernel void matvec(device const T* a [[buffer(0)]], device const T* b [[buffer(1)]],
                   constant Layout& layout [[buffer(2)]], FINISH_PARAMETERS, uint3 group [[threadgroup_position_in_grid]],
                   uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  const Matrices matrices(a, b, layout, FINISH, group.z);
  const uint result = group.x * 4 + simdgroup;
  if (result >= layout.m * layout.n) return;
  const uint row = result / layout.n, column = result % layout.n;
  float sum = 0;
  for (uint t = lane; t < layout.k; t += 32) sum += float(matrices.read_a(row, t)) * float(matrices.read_b(t, column));
  sum = simd_sum(sum);
  if (lane == 0) matrices.write(row, column, sum);
}
#else
// A thread makes one result: for integers and complex numbers.
kernel void matmul(device const T* a [[buffer(0)]], device const T* b [[buffer(1)]],
                   constant Layout& layout [[buffer(2)]], FINISH_PARAMETERS, uint3 group [[threadgroup_position_in_grid]],
                   uint3 place [[thread_position_in_threadgroup]]) {
  const Matrices matrices(a, b, layout, FINISH, group.z);
  const uint row = group.y * 16 + place.y, column = group.x * 16 + place.x;
  if (row >= layout.m || column >= layout.n) return;
  SUM sum = convert<SUM>(0);
  for (uint t = 0; t < layout.k; ++t) sum = sum + SUM(matrices.read_a(row, t)) * SUM(matrices.read_b(t, column));
  matrices.write(row, column, sum);
}
#endif
