// Attention.

#include <cmath>

#include "ops/matrices.h"

namespace mlx {
namespace {

// Which places a causal query sees.
Tensor causal_mask(const Tensor& query, const Tensor& key) {
  return tril(ones({query.size(-2), key.size(-2)}, DType::Bool, query.device()), 0);
}

// A boolean mask, which tells where attention may look, as numbers to add to the scores.
Tensor as_addend(const Tensor& mask, const Tensor& query) {
  if (!mask.defined() || mask.dtype() != DType::Bool)
    return mask.defined() ? to(mask, query.dtype(), false, false) : mask;
  return where(mask, zeros({}, query.dtype(), query.device()), Scalar(-INFINITY));
}

// Softmax of scores, but zeros for a query that may look nowhere.
Tensor weights_of(const Tensor& scores, bool masked) {
  if (!masked) return softmax(scores, -1, std::nullopt);
  const Tensor nowhere = all(eq(scores, Scalar(-INFINITY)), Shape{-1}, true);
  return where(nowhere, Scalar(0), softmax(where(nowhere, Scalar(0), scores), -1, std::nullopt));
}

// The gradients written with ops, for second derivatives.
Grads composed_gradients(const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Tensor& mask, const Attention& kernel) {
  Tensor scores = matmul(q * Scalar(kernel.scale), transpose(k, -2, -1));
  if (kernel.causal) scores = where(causal_mask(q, k), scores, Scalar(-INFINITY));
  if (mask.defined()) scores = scores + mask;
  Tensor weights = weights_of(scores, mask.defined()), slopes = matmul(g, transpose(v, -2, -1));
  slopes = weights * (slopes - sum(slopes * weights, Shape{-1}, true)) * Scalar(kernel.scale);
  return {matmul(slopes, k), matmul(transpose(slopes, -2, -1), q), matmul(transpose(weights, -2, -1), g)};
}

// (stack, queries, keys)
Shape scores_shape(const Tensor& q, const Tensor& k) {
  Shape shape = q.shape();
  shape.back() = k.size(-2);
  return shape;
}

bool same_stacks(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto stack = [](const Tensor& t) { return Shape(t.shape().begin(), t.shape().end() - 2); };
  return stack(q) == stack(k) && stack(q) == stack(v) && q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2);
}

// As the kernel reads it: features side by side, rows apart (those of an expanded gradient are not).
Tensor aligned(const Tensor& t) {
  const bool side_by_side = t.stride(-1) == 1 && (t.stride(-2) >= t.size(-1) || t.size(-2) == 1);
  return side_by_side ? t : contiguous(t);
}

// Whether a kernel can take the mask: it broadcasts to `shape`, that of the scores, and wants no gradient.
bool is_plain_mask(const Tensor& mask, const Shape& shape) {
  return !mask.defined() || (!recording({&mask}) && broadcasts_to(mask, shape));
}

// The mask as the kernel reads it, for each matrix of the stack: numbers to add, those of keys side by side.
Tensor aligned_mask(const Tensor& mask, const Shape& shape) {
  if (!mask.defined()) return mask;
  const Tensor m = expand(detach(mask), shape);
  if (m.stride(-1) == 1) return m;
  // Keys share numbers: that dimension alone is written out.
  Shape small = mask.dim() ? mask.shape() : Shape{1};
  small.back() = shape.back();
  return expand(contiguous(expand(detach(mask), small)), shape);
}

// By one kernel, which never stores the scores of all queries.
Tensor fused_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask,
                       const Attention& kernel) {
  Tensor q = aligned(query), k = aligned(key), v = aligned(value);
  Tensor mask = aligned_mask(attn_mask, scores_shape(q, k));
  Shape shape = q.shape();
  shape.back() = v.size(-1);
  Tensor out = allocate(shape, q.dtype(), q.device());
  const Tensor *outputs[] = {&out}, *inputs[] = {&q, &k, &v, &mask};
  launch(kernel, outputs, std::span(inputs).first(mask.defined() ? 4 : 3));
  return record("ScaledDotProductAttention", out, {&q, &k, &v},
                [kernel, q = save(q), k = save(k), v = save(v), mask = save(mask)](Backward& b) -> Grads {
                  Tensor Q = b.get(q), K = b.get(k), V = b.get(v), M = b.get(mask), g = aligned(b.grad());
                  if (recording({&g, &Q, &K, &V})) return composed_gradients(g, Q, K, V, M, kernel);
                  auto like = [](const Tensor& t) { return allocate(t.shape(), t.dtype(), t.device()); };
                  Tensor dq = like(Q), dk = like(K), dv = like(V);
                  const Tensor *outputs[] = {&dq, &dk, &dv}, *inputs[] = {&g, &Q, &K, &V, &M};
                  launch(AttentionGradient{kernel.scale, kernel.causal}, outputs,
                         std::span(inputs).first(M.defined() ? 5 : 4));
                  return {dq, dk, dv};
                });
}

// The heads (dimension -3) as (groups, heads of a group); what has one for all heads, as a mask may, has one
// for all groups.
Tensor in_groups(const Tensor& t, int64_t groups) {
  if (t.dim() < 3) return t;
  Shape shape = t.shape();
  int64_t& heads = shape[shape.size() - 3];
  const int64_t size = heads == 1 ? 1 : heads / groups;
  heads = heads == 1 ? 1 : groups;
  shape.insert(shape.size() - 2, size);
  return reshape(t, shape);
}

// Queries of several heads share a key and a value, which no longer change along a dimension of their own.
Tensor grouped_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                         double dropout_p, bool is_causal, std::optional<double> scale) {
  const int64_t heads = query.size(-3), groups = key.size(-3), values = value.size(-3);
  if (groups == 0 || values == 0 || heads % groups || heads % values)
    throw RuntimeError("scaled_dot_product_attention(): with enable_gqa the number of query heads (", heads,
                       ") must be a multiple of those of key (", groups, ") and value (", values, ")");
  if (groups != values)
    return _scaled_dot_product_attention(query, repeat_interleave(key, heads / groups, -3),
                                         repeat_interleave(value, heads / values, -3), mask, dropout_p,
                                         is_causal, scale, false);
  auto shared = [&](const Tensor& t) {
    Tensor grouped = in_groups(t, groups);
    Shape shape = grouped.shape();
    shape[shape.size() - 3] = heads / groups;
    return expand(grouped, shape);
  };
  Tensor out = _scaled_dot_product_attention(in_groups(query, groups), shared(key), shared(value),
                                             mask.defined() ? in_groups(mask, groups) : mask, dropout_p,
                                             is_causal, scale, false);
  return flatten(out, -4, -3);
}

}  // namespace

// softmax(query @ key^T * scale + mask) @ value, over the last two dimensions (length, features), as in
// "Attention is all you need" (Vaswani et al., 2017). A boolean mask tells where attention may look.
OP("_scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
   "dropout_p=0.0, bool is_causal=False, float? scale=None, bool enable_gqa=False) -> Tensor");
Tensor _scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& attn_mask, double dropout_p, bool is_causal,
                                     std::optional<double> scale, bool enable_gqa) {
  const char* op = "scaled_dot_product_attention";
  if (query.dim() < 2 || key.dim() < 2 || value.dim() < 2)
    throw RuntimeError(op, "(): query, key and value must have at least 2 dimensions, but have shapes ",
                       query.shape(), ", ", key.shape(), " and ", value.shape());
  if (query.dtype() != key.dtype() || query.dtype() != value.dtype())
    throw RuntimeError(op, "(): Expected query, key, and value to have the same dtype, but got ",
                       query.dtype(), ", ", key.dtype(), " and ", value.dtype());
  if (attn_mask.defined() && attn_mask.dtype() != DType::Bool && !attn_mask.is_floating())
    throw RuntimeError(op,
                       "(): Expected attn_mask dtype to be bool or float or to match query dtype, but got ",
                       attn_mask.dtype());
  if (is_causal && attn_mask.defined())
    throw RuntimeError(op, "(): Explicit attn_mask should not be set when is_causal=True");
  if (is_reduced(query.dtype())) {
    // Scores of half precision lose what softmax needs.
    auto wide = [](const Tensor& t) {
      return t.defined() && is_reduced(t.dtype()) ? to(t, DType::Float32, false, false) : t;
    };
    Tensor out = _scaled_dot_product_attention(wide(query), wide(key), wide(value), wide(attn_mask),
                                               dropout_p, is_causal, scale, enable_gqa);
    return to(out, query.dtype(), false, false);
  }
  if (enable_gqa && query.dim() > 2)
    return grouped_attention(query, key, value, attn_mask, dropout_p, is_causal, scale);
  double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  const Tensor mask = as_addend(attn_mask, query);
  if (query.is_floating() && dropout_p == 0 && same_stacks(query, key, value) && query.numel() &&
      key.numel() && value.numel() && is_plain_mask(mask, scores_shape(query, key)))
    return fused_attention(query, key, value, mask, Attention{factor, is_causal});
  Tensor scores = matmul(query * Scalar(factor), transpose(key, -2, -1));
  if (is_causal) scores = where(causal_mask(query, key), scores, Scalar(-INFINITY));
  if (mask.defined()) scores = scores + mask;
  Tensor weights = weights_of(scores, mask.defined());
  if (dropout_p > 0) weights = functional::dropout(weights, dropout_p, true, false);
  return matmul(weights, value);
}

}  // namespace mlx
