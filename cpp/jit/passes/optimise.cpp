#include "jit/passes/passes.h"

namespace mlx::jit {

void drop_operations(Graph& g, const std::vector<bool>& gone) {
  std::vector<Operation> kept;
  for (size_t i = 0; i < g.operations.size(); ++i)
    if (!gone[i]) kept.push_back(std::move(g.operations[i]));
  g.operations = std::move(kept);
}

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
  fuse_rows(g);  // what does not end a product
}

}  // namespace mlx::jit
