// Matrix products and what is made of them.

#include "ops/matrices.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

void check_product(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw RuntimeError(op, "(): expected both tensors to have the same dtype, but got ", a.dtype(), " and ",
                       b.dtype());
  if (a.dtype() == DType::Bool) throw RuntimeError(op, "(): not implemented for 'Bool'");
}

void check_dims(const char* op, const char* what, const Tensor& t, int64_t dims) {
  if (t.dim() != dims)
    throw RuntimeError(op, "(): ", what, " must be ", dims, "-dimensional, but is ", t.dim(),
                       "-dimensional: shape ", t.shape());
}

void check_inner(const char* op, const Tensor& a, const Tensor& b, int64_t inner, int64_t theirs) {
  if (inner != theirs)
    throw RuntimeError(op, "(): inner sizes differ: ", a.shape(), " @ ", b.shape(), "; ", inner, " is not ",
                       theirs);
}

// The product of stacks of matrices with equal leading dimensions.
Tensor product(const Tensor& a, const Tensor& b) {
  Tensor out = allocate(joined(leading(a), a.size(-2), b.size(-1)), a.dtype(), a.device());
  if (a.size(-1) == 0)
    zero_(out);
  else
    launch(MatMul{}, {&out}, {&a, &b});
  return record(out.dim() == 3 ? "Bmm" : "Mm", out, {&a, &b},
                [a = save(a), b = save(b)](Backward& back) -> Grads {
                  Grads grads(2);
                  if (back.needs(0)) grads[0] = product(back.grad(), adjoint_of(back.get(b)));
                  if (back.needs(1)) grads[1] = product(adjoint_of(back.get(a)), back.grad());
                  return grads;
                });
}

// The product of stacks whose leading dimensions broadcast. What a matrix that is used several times gets as
// its gradient is added up before it is rounded.
Tensor product_of_stacks(const Tensor& a, const Tensor& b) {
  Shape lead = broadcast_shapes(leading(a), leading(b), "matmul");
  auto whole = [lead](const Tensor& t) { return expand(t, joined(lead, t.size(-2), t.size(-1))); };
  if (!is_reduced(a.dtype()) || leading(a) == leading(b)) return product(whole(a), whole(b));
  Tensor out;
  {
    GradModeGuard off(false);
    out = product(whole(a), whole(b));
  }
  return record("Matmul", out, {&a, &b}, [whole, a = save(a), b = save(b)](Backward& back) -> Grads {
    Tensor g = widened(back.grad());
    Grads grads(2);
    if (back.needs(0)) grads[0] = product(g, turned(whole(widened(back.get(b)))));
    if (back.needs(1)) grads[1] = product(turned(whole(widened(back.get(a)))), g);
    return grads;
  });
}

// addend + a @ b, rounded once; the addend is of the same dtype and broadcasts to the product's shape.
Tensor product_plus(const Tensor& addend, const Tensor& a, const Tensor& b) {
  const Shape shape = joined(leading(a), a.size(-2), b.size(-1));
  if (a.size(-1) == 0) return add(product(a, b), addend);
  Tensor out = allocate(shape, a.dtype(), a.device());
  launch(MatMul{}, {&out}, {&a, &b, &addend});
  return record(out.dim() == 3 ? "Baddbmm" : "Addmm", out, {&addend, &a, &b},
                [a = save(a), b = save(b)](Backward& back) -> Grads {
                  Grads grads(3);
                  if (back.needs(0)) grads[0] = back.grad();
                  if (back.needs(1)) grads[1] = product(back.grad(), adjoint_of(back.get(b)));
                  if (back.needs(2)) grads[2] = product(adjoint_of(back.get(a)), back.grad());
                  return grads;
                });
}

// A factor as an element of the tensor's dtype: that of an integer product is cut to an integer, that of a
// half product rounded.
Scalar as_element(const Scalar& s, const Tensor& t) {
  if (t.dtype() == DType::BFloat16) return s.to<BFloat16>();
  if (t.dtype() == DType::Float16) return s.to<Half>();
  return t.is_inexact() ? s : Scalar(s.to_int());
}

Scalar conjugate(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to_complex())) : s; }

// beta * input + alpha * value, without reading the input when beta is zero.
Tensor combined(const Tensor& input, const Tensor& value, const Scalar& beta_given,
                const Scalar& alpha_given) {
  Scalar beta = as_element(beta_given, value), alpha = as_element(alpha_given, value);
  Tensor scaled = alpha.equals(1) ? value : value * alpha;
  if (beta.equals(0)) return scaled;
  return add(beta.equals(1) ? input : input * beta, scaled);
}

Tensor checked_combination(const char* op, const Tensor& input, const Tensor& value, const Scalar& beta,
                           const Scalar& alpha) {
  if (input.dtype() != value.dtype())
    throw RuntimeError(op, "(): expected input of dtype ", value.dtype(), " like the product, but got ",
                       input.dtype());
  if (broadcast_shapes(input.shape(), value.shape(), op) != value.shape())
    throw RuntimeError(op, "(): input of shape ", input.shape(),
                       " does not broadcast to the product's shape ", value.shape());
  return combined(input, value, beta, alpha);
}

// Whether one kernel multiplies and adds. What is no proper product is not: the way through ops says why.
bool is_plain_sum(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta,
                  const Scalar& alpha) {
  if (!beta.equals(1) || !alpha.equals(1) || b.dim() < 2 || a.dim() != b.dim()) return false;
  if (a.dtype() != b.dtype() || input.dtype() != a.dtype() || a.dtype() == DType::Bool) return false;
  return a.size(-1) == b.size(-2) && leading(a) == leading(b) &&
         broadcasts_to(input, joined(leading(a), a.size(-2), b.size(-1)));
}

// checked_combination(op, input, multiply(a, b), beta, alpha), rounded once.
template <class Multiply>
Tensor rounded_combination(const char* op, const Tensor& input, const Tensor& a, const Tensor& b,
                           Multiply multiply, const Scalar& beta, const Scalar& alpha) {
  if (is_plain_sum(input, a, b, beta, alpha)) return product_plus(input, a, b);
  if (!is_reduced(a.dtype()) || input.dtype() != a.dtype() || b.dtype() != a.dtype())
    return checked_combination(op, input, multiply(a, b), beta, alpha);
  Tensor wide = checked_combination(op, widened(input), multiply(widened(a), widened(b)), beta, alpha);
  return to(wide, a.dtype(), false, false);
}

}  // namespace

// The product of matrices, of stacks of them (leading dimensions broadcast), or of vectors: a vector
// on the left is a row, on the right a column, and that dimension is gone from the result.
//
// >>> mlx.matmul(mlx.ones(2, 3), mlx.ones(3))
// tensor([3., 3.])
OP("matmul(Tensor input, Tensor other) -> Tensor").alias("linalg.matmul").alias("Tensor.__matmul__");
Tensor matmul(const Tensor& input, const Tensor& other) {
  if (input.dim() == 0 || other.dim() == 0)
    throw RuntimeError("matmul(): both arguments to matmul need to be at least 1D, but they are ",
                       input.dim(), "D and ", other.dim(), "D");
  check_product("matmul", input, other);
  int64_t inner = input.size(-1);
  check_inner("matmul", input, other, inner, other.dim() == 1 ? other.size(0) : other.size(-2));
  Tensor a = input.dim() == 1 ? unsqueeze(input, 0) : input;
  Tensor b = other.dim() == 1 ? unsqueeze(other, 1) : other;
  Tensor out;
  if (a.dim() == 2 && b.dim() == 2) {
    out = product(a, b);
  } else if (b.dim() == 2) {
    // One matrix for the whole stack: one tall product instead of many small ones.
    Shape lead = leading(a);
    out =
        view(product(reshape(a, {numel(lead) * a.size(-2), inner}), b), joined(lead, a.size(-2), b.size(1)));
  } else {
    out = product_of_stacks(a, b);
  }
  if (input.dim() == 1) out = squeeze(out, -2);
  if (other.dim() == 1) out = squeeze(out, -1);
  return out;
}

OP("Tensor.__rmatmul__(Tensor input, Tensor other) -> Tensor");
Tensor __rmatmul__(const Tensor& input, const Tensor& other) { return matmul(other, input); }

// The product of two matrices.
OP("mm(Tensor input, Tensor mat2) -> Tensor");
Tensor mm(const Tensor& input, const Tensor& mat2) {
  check_dims("mm", "input", input, 2);
  check_dims("mm", "mat2", mat2, 2);
  check_product("mm", input, mat2);
  check_inner("mm", input, mat2, input.size(1), mat2.size(0));
  return product(input, mat2);
}

// The products of two stacks of matrices.
OP("bmm(Tensor input, Tensor mat2) -> Tensor");
Tensor bmm(const Tensor& input, const Tensor& mat2) {
  check_dims("bmm", "input", input, 3);
  check_dims("bmm", "mat2", mat2, 3);
  check_product("bmm", input, mat2);
  if (input.size(0) != mat2.size(0))
    throw RuntimeError("bmm(): the stacks differ in length: ", input.size(0), " is not ", mat2.size(0));
  check_inner("bmm", input, mat2, input.size(2), mat2.size(1));
  return product(input, mat2);
}

// A matrix times a vector.
OP("mv(Tensor input, Tensor vec) -> Tensor");
Tensor mv(const Tensor& input, const Tensor& vec) {
  check_dims("mv", "input", input, 2);
  check_dims("mv", "vec", vec, 1);
  return matmul(input, vec);
}

// The sum of the products of two vectors' elements.
OP("dot(Tensor input, Tensor tensor) -> Tensor").node("DotBackward0");
Tensor dot(const Tensor& input, const Tensor& tensor) {
  check_dims("dot", "input", input, 1);
  check_dims("dot", "tensor", tensor, 1);
  return matmul(input, tensor);
}

// The same with the first vector conjugated.
OP("vdot(Tensor input, Tensor other) -> Tensor");
Tensor vdot(const Tensor& input, const Tensor& other) { return dot(conj(input), other); }

// Products of the last dimensions: all pairs of rows.
OP("inner(Tensor input, Tensor other) -> Tensor");
Tensor inner(const Tensor& input, const Tensor& other) {
  if (input.dim() == 0 || other.dim() == 0) return input * other;
  check_inner("inner", input, other, input.size(-1), other.size(-1));
  return _tensordot(input, other, {-1}, {-1});
}

// The matrix of all products of two vectors' elements.
OP("outer(Tensor input, Tensor vec2) -> Tensor").alias("ger");
Tensor outer(const Tensor& input, const Tensor& vec2) {
  check_dims("outer", "input", input, 1);
  check_dims("outer", "vec2", vec2, 1);
  return unsqueeze(input, 1) * vec2;
}

// beta * input + alpha * (mat1 @ mat2).
OP("addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor").inplace();
Tensor addmm(const Tensor& input, const Tensor& mat1, const Tensor& mat2, const Scalar& beta,
             const Scalar& alpha) {
  check_dims("addmm", "mat1", mat1, 2);
  check_dims("addmm", "mat2", mat2, 2);
  return rounded_combination("addmm", input, mat1, mat2, mm, beta, alpha);
}

// beta * input + alpha * (mat @ vec).
OP("addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor")
    .node("AddmvBackward0")
    .inplace();
Tensor addmv(const Tensor& input, const Tensor& mat, const Tensor& vec, const Scalar& beta,
             const Scalar& alpha) {
  return rounded_combination("addmv", input, mat, vec, mv, beta, alpha);
}

// beta * input + alpha * outer(vec1, vec2).
OP("addr(Tensor input, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor").inplace();
Tensor addr(const Tensor& input, const Tensor& vec1, const Tensor& vec2, const Scalar& beta,
            const Scalar& alpha) {
  Tensor value = outer(vec1, vec2);
  if (broadcast_shapes(input.shape(), value.shape(), "addr") != value.shape())
    throw RuntimeError("addr(): input of shape ", input.shape(), " does not broadcast to ", value.shape());
  if (input.dtype() == DType::Bool && value.dtype() == DType::Bool)
    return logical_or(beta.to_bool() ? expand(input, value.shape()) : zeros_like(value),
                      alpha.to_bool() ? value : zeros_like(value));
  Tensor out;
  {
    GradModeGuard off(false);
    // Half types are rounded after each step, in PyTorch's order.
    out = is_reduced(value.dtype()) ? combined(input, outer(vec1 * as_element(alpha, value), vec2), beta, 1)
                                    : combined(input, value, beta, alpha);
  }
  return record("Addr", out, {&input, &vec1, &vec2},
                [alpha, beta, vec1 = save(vec1), vec2 = save(vec2)](Backward& b) -> Grads {
                  const Tensor& g = b.grad();
                  auto row = [&](const SavedTensor& v) { return as_dtype(conj(b.get(v)), g.dtype()); };
                  return {b.needs(0) ? g * conjugate(beta) : Tensor(),
                          b.needs(1) ? mv(g, row(vec2)) * conjugate(alpha) : Tensor(),
                          b.needs(2) ? mv(turned(g), row(vec1)) * conjugate(alpha) : Tensor()};
                });
}

// beta * input + alpha * bmm(batch1, batch2).
OP("baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor")
    .node("BaddbmmBackward0")
    .inplace();
Tensor baddbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
               const Scalar& alpha) {
  return rounded_combination("baddbmm", input, batch1, batch2, bmm, beta, alpha);
}

// beta * input + alpha * the sum of the products in bmm(batch1, batch2).
OP("addbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor");
Tensor addbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
              const Scalar& alpha) {
  if (is_reduced(input.dtype()) && batch1.dim() == 3 && batch2.dim() == 3 && batch1.size(0) &&
      batch1.size(0) == batch2.size(0)) {
    // As in PyTorch: matrix after matrix, rounded after each.
    Tensor total = addmm(input, select(batch1, 0, 0), select(batch2, 0, 0), beta, alpha);
    for (int64_t i = 1; i < batch1.size(0); ++i)
      total = addmm(total, select(batch1, 0, i), select(batch2, 0, i), 1, alpha);
    return total;
  }
  Tensor product = bmm(batch1, batch2);
  return checked_combination("addbmm", input, sum(product, Shape{0}, false, product.dtype()), beta, alpha);
}

// In place; an input that is broadcast gets the shape of the result, as in PyTorch.
OP("Tensor.addbmm_(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor");
Tensor addbmm_(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
               const Scalar& alpha) {
  check_writable(input, "addbmm_");
  Tensor value = addbmm(readable_copy(input, {&batch1, &batch2}), batch1, batch2, beta, alpha);
  if (value.shape() != input.shape() && !input.impl()->base) {
    Tensor room = allocate(value.shape(), input.dtype(), input.device());
    TensorImpl& impl = *input.impl();
    impl.storage = room.storage();
    impl.offset = 0;
    impl.numel = room.numel();
    impl.shape = room.shape();
    impl.strides = room.strides();
    impl.contiguous = true;
  }
  return assign_in_place(input, value, "addbmm_");
}

// x @ weight.T + bias, for weight (out features, in features).
//
// >>> mlx.nn.functional.linear(mlx.ones(3), mlx.ones(2, 3), mlx.tensor([0., 1.]))
// tensor([3., 4.])
OP("nn.functional.linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor");
Tensor functional::linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 1 && weight.dim() != 2)
    throw RuntimeError("linear(): weight must be 1- or 2-dimensional, but has shape ", weight.shape());
  check_product("linear", input, weight);
  if (input.dim()) check_inner("linear", input, weight, input.size(-1), weight.size(-1));
  if (!bias.defined()) return matmul(input, t(weight));
  if (weight.dim() == 1 || input.dim() == 0 || bias.dim() != 1 || bias.size(0) != weight.size(0) ||
      bias.dtype() != input.dtype())
    return add(matmul(input, t(weight)), bias);
  if (input.dim() == 2) return product_plus(bias, input, t(weight));
  const Shape lead(input.shape().begin(), input.shape().end() - 1);
  const Tensor rows = reshape(input, {numel(lead), input.size(-1)});
  return view(product_plus(bias, rows, t(weight)), joined(lead, weight.size(0)));
}

// x1^T A x2 + bias for each of A's matrices: weight is (out, in1, in2).
OP("nn.functional.bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor");
Tensor functional::bilinear(const Tensor& input1, const Tensor& input2, const Tensor& weight,
                            const Tensor& bias) {
  check_product("bilinear", input1, weight);
  check_product("bilinear", input2, weight);
  check_inner("bilinear", input1, weight, input1.size(-1), weight.size(1));
  check_inner("bilinear", input2, weight, input2.size(-1), weight.size(2));
  Tensor out = _einsum("...i,oij,...j->...o", {widened(input1), widened(weight), widened(input2)});
  return as_dtype(bias.defined() ? add(out, widened(bias)) : out, input1.dtype());
}

// Sums of products over chosen dimensions: those of `dims_self` pair with those of `dims_other`.
OP("_tensordot(Tensor input, Tensor other, int[] dims_self, int[] dims_other) -> Tensor");
Tensor _tensordot(const Tensor& left, const Tensor& right, const Shape& dims_self, const Shape& dims_other) {
  Tensor input = left, other = right;
  if (dims_self.size() != dims_other.size())
    throw RuntimeError("tensordot(): both dimension lists should have the same length, but are ", dims_self,
                       " and ", dims_other);
  check_product("tensordot", input, other);
  auto mask_a = dim_mask(dims_self, input.dim(), false), mask_b = dim_mask(dims_other, other.dim(), false);
  Shape order_a, order_b, shape;
  int64_t inner = 1, rows = 1, columns = 1;
  for (int64_t d = 0; d < input.dim(); ++d)
    if (!mask_a[d]) {
      order_a.push_back(d);
      shape.push_back(input.size(d));
      rows *= input.size(d);
    }
  for (size_t i = 0; i < dims_self.size(); ++i) {
    int64_t a = wrap_dim(dims_self[i], input.dim()), b = wrap_dim(dims_other[i], other.dim());
    // A size of one is repeated: what it meets is summed at once.
    if (input.size(a) == 1 && other.size(b) != 1) other = sum(other, Shape{b}, true, other.dtype());
    if (other.size(b) == 1 && input.size(a) != 1) input = sum(input, Shape{a}, true, input.dtype());
    if (input.size(a) != other.size(b))
      throw RuntimeError("tensordot(): contracted dimensions need to match, but first has size ",
                         input.size(a), " in dim ", a, " and second has size ", other.size(b), " in dim ", b);
    order_a.push_back(a);
    order_b.push_back(b);
    inner *= input.size(a);
  }
  for (int64_t d = 0; d < other.dim(); ++d)
    if (!mask_b[d]) {
      order_b.push_back(d);
      shape.push_back(other.size(d));
      columns *= other.size(d);
    }
  return reshape(product(reshape(permute(input, order_a), {rows, inner}),
                         reshape(permute(other, order_b), {inner, columns})),
                 shape);
}

}  // namespace mlx
