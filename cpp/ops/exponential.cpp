// Exponentials and logarithms.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("exp(Tensor input) -> Tensor").pointwise(Formula::exp).to_float().gradient<0>([](const Tensor& g, Out out) { return g * conj(out); });
OP("log(Tensor input) -> Tensor").pointwise(Formula::log).to_float().gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input); });

}  // namespace mlx
