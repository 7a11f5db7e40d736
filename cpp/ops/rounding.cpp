// Roundings to whole numbers, or to a number of decimals. Their gradients are zeros.

#include <cmath>

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("floor(Tensor input) -> Tensor").pointwise(Formula::floor).refuse_bool().gradient<0>([](const Tensor& g) {
  return zeros_like(g);
});

OP("ceil(Tensor input) -> Tensor").pointwise(Formula::ceil).refuse_bool().gradient<0>([](const Tensor& g) {
  return zeros_like(g);
});

OP("trunc(Tensor input) -> Tensor")
    .pointwise(Formula::trunc)
    .refuse_bool()
    .alias("fix")
    .gradient<0>([](const Tensor& g) { return zeros_like(g); });

// The fractional part, with the sign of the input.
OP("frac(Tensor input) -> Tensor").pointwise(Formula::frac).gradient<0>([](const Tensor& g) { return g; });

OP("_round(Tensor input) -> Tensor").pointwise(Formula::round).refuse_bool().gradient<0>([](const Tensor& g) {
  return zeros_like(g);
});

// Rounded to the nearest whole number, halves to the even one; or to so many decimals (negative: to
// tens, hundreds, ...).
//
// >>> mlx.round(mlx.tensor([0.5, 1.5, 2.345]))
// tensor([0., 2., 2.])
OP("round(Tensor input, *, int decimals=0) -> Tensor").alias("special.round").inplace();
Tensor round(const Tensor& input, int64_t decimals) {
  if (decimals == 0) return _round(input);
  if (!input.is_floating())
    throw RuntimeError("round(): decimals is for floating-point tensors, not ", input.dtype());
  // Half types would overflow and lose digits in the product.
  if (is_reduced(input.dtype()))
    return to(round(to(input, DType::Float32, false, false), decimals), input.dtype(), false, false);
  const double scale = std::pow(10.0, std::abs(static_cast<double>(decimals)));
  return decimals > 0 ? _round(input * scale) / scale : _round(input / scale) * scale;
}

}  // namespace mlx
