#include "jit/passes/passes.h"

namespace mlx::jit {

void optimise(Graph& g) {
  single_assignment(g);
  remove_dead_code(g);
  fold_constants(g);
  share_common_operations(g);
  simplify(g);
  share_common_operations(g);  // what differed by a copy is the same now
  turn_transposed_products(g);
  remove_result_copies(g);
  remove_dead_code(g);
  fuse_pointwise(g);
  remove_dead_code(g);  // numbers that fusion has taken in
  fuse_reductions(g);
  fuse_products(g);
}

}  // namespace mlx::jit
