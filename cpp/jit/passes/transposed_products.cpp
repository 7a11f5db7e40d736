// The gradient of a weight is the transpose of a product. Copied into rows, it is the product of the
// transposed factors in the other order, which needs no copy.

#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

View transposed(View v) {
  const size_t n = v.shape.size();
  std::swap(v.shape[n - 1], v.shape[n - 2]);
  std::swap(v.strides[n - 1], v.strides[n - 2]);
  return v;
}

}  // namespace

void turn_transposed_products(Graph& g) {
  const Facts facts(g);
  for (size_t i = 0; i < g.operations.size(); ++i) {
    Operation& op = g.operations[i];
    if (!op.as<Copy>() || !g.is_whole(op.outputs[0]) || op.inputs[0].dtype != op.outputs[0].dtype) continue;
    const View& read = op.inputs[0];
    const int writer = facts.writer(read.buffer);
    if (writer < 0 || facts.reads(read.buffer) != 1 || facts.is_result(read.buffer)) continue;
    const Operation& product = g.operations[writer];
    if (!product.as<MatMul>() || product.inputs.size() > 2 || read.shape.size() < 2 ||
        transposed(read) != product.outputs[0])
      continue;
    const View &a = product.inputs[0], &b = product.inputs[1];
    if (!facts.is_intact_at(a.buffer, i) || !facts.is_intact_at(b.buffer, i)) continue;
    op = make_operation(MatMul{}, {op.outputs[0]}, {transposed(b), transposed(a)});
  }
}

}  // namespace mlx::jit
