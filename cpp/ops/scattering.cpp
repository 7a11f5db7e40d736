// Reading and writing elements along a dimension, an index for each.

#include <limits>

#include "backends/backend.h"
#include "base/representable.h"
#include "ops/check.h"
#include "ops/update.h"

namespace mlx {
namespace {

Tensor as_vector(const Tensor& t) { return t.dim() ? t : view_of(t, {1}, {1}, t.offset()); }

void check_index(const char* op, const Tensor& index) {
  if (!is_integral(index.dtype()))
    throw RuntimeError(op, "(): Expected dtype int64 for index, not ", index.dtype());
}

// The index must not reach beyond `t` in dimensions other than `dim` (in any, with dim = -1).
void check_within(const char* op, const char* what, const Tensor& index, const Tensor& t, int64_t dim) {
  if (std::max<int64_t>(index.dim(), 1) != std::max<int64_t>(t.dim(), 1))
    throw RuntimeError(op, "(): Index tensor must have the same number of dimensions as ", what,
                       " tensor: ", index.dim(), " is not ", t.dim());
  for (int64_t d = 0; d < index.dim(); ++d)
    if (d != dim && index.size(d) > (t.dim() ? t.size(d) : 1))
      throw RuntimeError(op, "(): Size does not match at dimension ", d, " expected index ", index.shape(),
                         " to be no larger than ", what, " ", t.shape(),
                         dim >= 0 ? str(" apart from dimension ", dim) : "");
}

Tensor int64_index(const Tensor& index) { return to(as_vector(index), DType::Int64, false, false); }

void scatter_data(const char* op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                  Update update) {
  check_index(op, index);
  if (index.numel() == 0) return;
  check_within(op, "self", index, self, dim);
  check_within(op, "src", index, src, -1);
  if (src.dtype() != self.dtype())
    throw RuntimeError(op, "(): Expected self.dtype to be equal to src.dtype, but got ", self.dtype(),
                       " and ", src.dtype());
  if ((update == Update::Add || update == Update::Mul) && is_reduced(self.dtype()))
    return join_widened(
        self, [&](const Tensor& total) { scatter_data(op, total, dim, index, widened(src), update); });
  Tensor at = int64_index(index), out = as_vector(self), values = as_vector(apart_from(self, src));
  launch(Scatter{op, dim, update}, {&out}, {&at, &values});
}

// One number for every place of the index.
Tensor everywhere(const Tensor& self, const Tensor& index, const Scalar& value) {
  check_representable(value, self.dtype());
  Tensor one = full({}, value, self.dtype(), self.device());
  return view_of(one, index.shape(), Shape(index.shape().size(), 0), 0);
}

// A gradient of the index's shape as one of the (larger) source's.
Tensor source_gradient(const Tensor& g, const Shape& shape) {
  if (g.shape() == shape) return g;
  Tensor out = zeros(shape, g.dtype(), g.device()), part = out;
  for (int64_t d = 0; d < g.dim(); ++d) part = slice(part, d, 0, g.size(d), 1);
  copy_(part, g, false);
  return out;
}

Update update_of(const char* op, const std::string& reduce) {
  if (reduce == "add") return Update::Add;
  if (reduce == "multiply") return Update::Mul;
  throw RuntimeError(op, "(): reduce argument must be either add or multiply, not '", reduce, "'");
}

}  // namespace

// out[i][j] = input[index[i][j]][j] for dim 0, and so on.
//
// >>> mlx.gather(mlx.tensor([[1, 2], [3, 4]]), 1, mlx.tensor([[0, 0], [1, 0]]))
// tensor([[1, 1],
//         [4, 3]])
OP("gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor");
Tensor gather(const Tensor& input, int64_t dim, const Tensor& index, bool) {
  const int64_t d = wrap_dim(dim, input.dim());
  check_index("gather", index);
  Tensor out = allocate(index.shape(), input.dtype(), input.device());
  if (index.numel()) {
    check_within("gather", "input", index, input, d);
    Tensor at = int64_index(index), from = as_vector(input), to = as_vector(out);
    launch(Gather{"gather", d}, {&to}, {&from, &at});
  }
  return record("Gather", out, {&input},
                [shape = input.shape(), d, index = save(index)](Backward& b) -> Grads {
                  Tensor g = widened(b.grad());
                  return {scatter_add(zeros(shape, g.dtype(), g.device()), d, b.get(index), g)};
                });
}

// A copy with out[index[i][j]][j] = src[i][j] for dim 0, and so on.
OP("scatter(Tensor input, int dim, Tensor index, Tensor src) -> Tensor");
Tensor scatter(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  scatter_data("scatter", out, d, index, src, Update::Set);
  return record("Scatter", out, {&input, &src},
                [d, index = save(index), shape = src.shape()](Backward& b) -> Grads {
                  return {b.needs(0) ? scatter(b.grad(), d, b.get(index), Scalar(0)) : Tensor(),
                          b.needs(1) ? source_gradient(gather(b.grad(), d, b.get(index)), shape) : Tensor()};
                });
}
OP("scatter(Tensor input, int dim, Tensor index, Scalar value) -> Tensor");
Tensor scatter(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  scatter_data("scatter", out, d, index, everywhere(out, index, value), Update::Set);
  return record("Scatter", out, {&input}, [d, index = save(index)](Backward& b) -> Grads {
    return {scatter(b.grad(), d, b.get(index), Scalar(0))};
  });
}
OP("scatter(Tensor input, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor").inplace();
Tensor scatter(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src,
               const std::string& reduce) {
  if (update_of("scatter", reduce) == Update::Add) return scatter_add(input, dim, index, src);
  return scatter_reduce(input, dim, index, src, "prod");
}
OP("scatter(Tensor input, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor").inplace();
Tensor scatter(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value,
               const std::string& reduce) {
  return scatter(input, dim, index, everywhere(input, index, value), reduce);
}
OP("Tensor.scatter_(Tensor input, int dim, Tensor index, Tensor src) -> Tensor");
Tensor scatter_(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  const int64_t d = wrap_dim(dim, input.dim());
  return update_in_place(
      input, {&src}, "scatter_",
      [&](const Tensor& self) { scatter_data("scatter_", self, d, index, src, Update::Set); },
      [&](const Tensor& old) { return scatter(old, d, index, src); });
}
OP("Tensor.scatter_(Tensor input, int dim, Tensor index, Scalar value) -> Tensor");
Tensor scatter_(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) {
  const int64_t d = wrap_dim(dim, input.dim());
  return update_in_place(
      input, {}, "scatter_",
      [&](const Tensor& self) {
        scatter_data("scatter_", self, d, index, everywhere(self, index, value), Update::Set);
      },
      [&](const Tensor& old) { return scatter(old, d, index, value); });
}

// A copy with src[i][j] added at [index[i][j]][j] for dim 0, and so on; indices may repeat.
OP("scatter_add(Tensor input, int dim, Tensor index, Tensor src) -> Tensor");
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  scatter_data("scatter_add", out, d, index, src, Update::Add);
  return record(
      "ScatterAdd", out, {&input, &src}, [d, index = save(index), shape = src.shape()](Backward& b) -> Grads {
        return {b.grad(), b.needs(1) ? source_gradient(gather(b.grad(), d, b.get(index)), shape) : Tensor()};
      });
}
OP("Tensor.scatter_add_(Tensor input, int dim, Tensor index, Tensor src) -> Tensor");
Tensor scatter_add_(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  const int64_t d = wrap_dim(dim, input.dim());
  return update_in_place(
      input, {&src}, "scatter_add_",
      [&](const Tensor& self) { scatter_data("scatter_add_", self, d, index, src, Update::Add); },
      [&](const Tensor& old) { return scatter_add(old, d, index, src); });
}

// ---- scatter_reduce

namespace {

// The smallest (or largest) number of a dtype: what a maximum (or minimum) starts from.
Scalar extreme(DType dtype, bool largest) {
  return visit(dtype, [&](auto zero) -> Scalar {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>)
      return largest;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<int64_t>(largest ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest());
    else
      return largest ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  });
}

Tensor reduced_by_sum(const Tensor& input, int64_t d, const Tensor& index, const Tensor& src,
                      bool include_self) {
  return scatter_add(include_self ? input : scatter(input, d, index, Scalar(0)), d, index, src);
}

Tensor reduced_by_mean(const Tensor& input, int64_t d, const Tensor& index, const Tensor& src,
                       bool include_self) {
  Tensor total = reduced_by_sum(input, d, index, src, include_self);
  Tensor count = include_self ? ones_like(input) : scatter(ones_like(input), d, index, Scalar(0));
  count = scatter_add(count, d, index, ones_like(src));
  count = count + to(eq(count, Scalar(0)), count.dtype(), false, false);
  return input.is_inexact() ? total / count : floor_divide(total, count);
}

// The gradient of a maximum or minimum: shared equally by the elements that reach it.
Grads extreme_gradients(const Backward& b, const Tensor& input, int64_t d, const Tensor& index,
                        const Tensor& src, const Tensor& out, bool include_self) {
  const Tensor& g = b.grad();
  Tensor self_is_result = to(eq(input, out), g.dtype(), false, false);
  Tensor src_is_result = to(eq(src, gather(out, d, index)), g.dtype(), false, false);
  Tensor share = g / scatter_add(self_is_result, d, index, src_is_result);
  Tensor for_self = share * self_is_result;
  if (!include_self) for_self = scatter(for_self, d, index, Scalar(0));
  return {for_self, gather(share, d, index) * src_is_result};
}

// d(prod)/dx is the product of the others: with zeros told apart, since it cannot be had by division.
Grads product_gradients(const Backward& b, const Tensor& input, int64_t d, const Tensor& index,
                        const Tensor& src, const Tensor& out, bool include_self) {
  const Tensor& g = b.grad();
  auto as = [&](const Tensor& mask) { return to(mask, g.dtype(), false, false); };
  Tensor self_zero = as(eq(input, Scalar(0))), src_zero = as(eq(src, Scalar(0)));
  // The product of everything but the input's own element.
  Tensor others = scatter_reduce(ones_like(input), d, index, src, "prod", true);
  Tensor for_self = g * others;
  if (!include_self) for_self = scatter(for_self, d, index, Scalar(0));
  if (!b.needs(1)) return {for_self, Tensor()};
  // For the source: divide where there is no zero; where there is a single one, it alone has a gradient.
  Tensor start_zero = include_self ? self_zero : scatter(self_zero, d, index, Scalar(0));
  Tensor zeros_there = gather(scatter_add(start_zero, d, index, src_zero), d, index);
  // Of several zeros each has a gradient that only appears in the second derivative.
  if (recording({&g, &input, &src}))
    raise_if_any(
        gt(zeros_there, Scalar(1)), Check::Runtime,
        "scatter_reduce(): the second derivative of a product with several zeros in one place is not "
        "implemented");
  Tensor filled = where(eq(src, Scalar(0)), 1, src);
  Tensor base = include_self ? input : scatter(input, d, index, Scalar(1));
  Tensor without_zeros = scatter_reduce(base, d, index, filled, "prod", true);
  Tensor single = src_zero * as(eq(zeros_there, Scalar(1)));
  Tensor plain = 1 - src_zero;
  Tensor at_result = gather(g * out, d, index), at_single = gather(g * without_zeros, d, index);
  return {for_self, plain * (at_result / filled) + single * at_single};
}

Tensor reduced_by(Update update, const char* node, const Tensor& input, int64_t d, const Tensor& index,
                  const Tensor& src, bool include_self) {
  Tensor out = copy_of(input);
  if (!include_self) {
    Scalar start = update == Update::Mul ? Scalar(1) : extreme(input.dtype(), update == Update::Min);
    scatter_data("scatter_reduce", out, d, index, everywhere(out, index, start), Update::Set);
  }
  scatter_data("scatter_reduce", out, d, index, src, update);
  return record(node, out, {&input, &src},
                [=, input = save(input), index = save(index), src = save(src), out = save_output(out),
                 shape = src.shape()](Backward& b) -> Grads {
                  Tensor at = b.get(index), values = b.get(src);
                  for (int64_t k = 0; k < at.dim(); ++k) values = slice(values, k, 0, at.size(k), 1);
                  auto rule = update == Update::Mul ? product_gradients : extreme_gradients;
                  Grads grads = rule(b, b.get(input), d, at, values, b.get(out), include_self);
                  if (grads[1].defined()) grads[1] = source_gradient(grads[1], shape);
                  return grads;
                });
}

}  // namespace

// A copy in which the elements of `src` that go to one place are joined by sum, prod, mean, amax or amin,
// together with the element that is there when `include_self`.
OP("scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) "
   "-> Tensor")
    .inplace();
Tensor scatter_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src,
                      const std::string& reduce, bool include_self) {
  const int64_t d = wrap_dim(dim, input.dim());
  if (is_reduced(input.dtype()) && src.dtype() == input.dtype())
    return as_dtype(scatter_reduce(widened(input), d, index, widened(src), reduce, include_self),
                    input.dtype());
  if (reduce == "sum") return reduced_by_sum(input, d, index, src, include_self);
  if (reduce == "mean") return reduced_by_mean(input, d, index, src, include_self);
  if (reduce == "prod") return reduced_by(Update::Mul, "ScatterReduce", input, d, index, src, include_self);
  if (reduce == "amax") return reduced_by(Update::Max, "ScatterReduce", input, d, index, src, include_self);
  if (reduce == "amin") return reduced_by(Update::Min, "ScatterReduce", input, d, index, src, include_self);
  throw RuntimeError("scatter_reduce(): reduce argument must be either sum, prod, mean, amax or amin, got '",
                     reduce, "'");
}

// The same with whole rows along `dim`, one index each: reduce is prod, mean, amax or amin.
OP("index_reduce(Tensor input, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) "
   "-> Tensor")
    .inplace();
Tensor index_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source,
                    const std::string& reduce, bool include_self) {
  if (reduce == "sum" || (reduce != "prod" && reduce != "mean" && reduce != "amax" && reduce != "amin"))
    throw RuntimeError("index_reduce(): reduce argument must be either prod, mean, amax or amin, got '",
                       reduce, "'");
  if (index.dim() > 1)
    throw IndexError("index_reduce(): Index is supposed to be a vector, but got dim: ", index.dim());
  const int64_t d = wrap_dim(dim, input.dim());
  if (source.dim() == 0)
    return scatter_reduce(input, d, reshape(index, source.shape()), source, reduce, include_self);
  Shape ones(source.shape().size(), 1);
  ones[d] = index.numel();
  if (source.size(d) != index.numel())
    throw RuntimeError("index_reduce(): Number of indices (", index.numel(),
                       ") should be equal to source.size(dim): (", source.size(d), ")");
  return scatter_reduce(input, d, expand(reshape(index, ones), source.shape(), false), source, reduce,
                        include_self);
}

// gather() with input and indices broadcast against each other; without `dim`, from the flattened input.
OP("take_along_dim(Tensor input, Tensor indices, int? dim=None) -> Tensor");
Tensor take_along_dim(const Tensor& input, const Tensor& indices, std::optional<int64_t> dim) {
  if (!dim) return gather(reshape(input, {-1}), 0, reshape(indices, {-1}));
  const int64_t d = wrap_dim(*dim, input.dim());
  if (input.dim() != indices.dim())
    throw RuntimeError(
        "take_along_dim(): input and indices should have the same number of dimensions, but got ",
        input.dim(), " and ", indices.dim());
  Shape a = input.shape(), b = indices.shape();
  a[d] = b[d] = 1;
  Shape whole = broadcast_shapes(a, b, "take_along_dim"), input_shape = whole, index_shape = whole;
  input_shape[d] = input.size(d);
  index_shape[d] = indices.size(d);
  // Negative indices count from the end, as in NumPy's take_along_axis.
  Tensor whole_index = to(indices, DType::Int64, false, false);
  Tensor index =
      whole_index + to(lt(whole_index, Scalar(0)), DType::Int64, false, false) * Scalar(input.size(d));
  return gather(expand(input, input_shape, false), d, expand(index, index_shape, false));
}

}  // namespace mlx
