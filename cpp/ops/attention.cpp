// Attention.

#include <cmath>

#include "backends/attention_kernels.h"
#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

// Each head (dimension -3) repeated `times` times in a row.
Tensor repeat_heads(const Tensor& t, int64_t times) {
  if (times == 1) return t;
  Tensor grouped = unsqueeze(t, -3);
  Shape wide = grouped.shape(), shape = t.shape();
  wide[wide.size() - 3] = times;
  shape[shape.size() - 3] *= times;
  return reshape(expand(grouped, wide), shape);
}

// Which places a causal query sees.
Tensor causal_mask(const Tensor& query, const Tensor& key) {
  return tril(ones({query.size(-2), key.size(-2)}, DType::Bool, query.device()), 0);
}

// The gradients written with ops, for second derivatives.
Grads composed_gradients(const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Attention& kernel) {
  Tensor scores = matmul(q * Scalar(kernel.scale), transpose(k, -2, -1));
  if (kernel.causal) scores = where(causal_mask(q, k), scores, Scalar(-INFINITY));
  Tensor weights = softmax(scores, -1, std::nullopt), slopes = matmul(g, transpose(v, -2, -1));
  slopes = weights * (slopes - sum(slopes * weights, Shape{-1}, true)) * Scalar(kernel.scale);
  return {matmul(slopes, k), matmul(transpose(slopes, -2, -1), q), matmul(transpose(weights, -2, -1), g)};
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

// By one kernel, which never stores the scores of all queries.
Tensor fused_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Attention& kernel) {
  Tensor q = aligned(query), k = aligned(key), v = aligned(value);
  Shape shape = q.shape();
  shape.back() = v.size(-1);
  Tensor out = allocate(shape, q.dtype(), q.device());
  launch(kernel, {&out}, {&q, &k, &v});
  return record("ScaledDotProductAttention", out, {&q, &k, &v},
                [kernel, q = save(q), k = save(k), v = save(v)](Backward& b) -> Grads {
                  Tensor Q = b.get(q), K = b.get(k), V = b.get(v), g = aligned(b.grad());
                  if (recording({&g, &Q, &K, &V})) return composed_gradients(g, Q, K, V, kernel);
                  auto like = [](const Tensor& t) { return allocate(t.shape(), t.dtype(), t.device()); };
                  Tensor dq = like(Q), dk = like(K), dv = like(V);
                  launch(AttentionGradient{kernel.scale, kernel.causal}, {&dq, &dk, &dv}, {&g, &Q, &K, &V});
                  return {dq, dk, dv};
                });
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
  if (is_causal && attn_mask.defined())
    throw RuntimeError(op, "(): Explicit attn_mask should not be set when is_causal=True");
  Tensor k = key, v = value;
  if (enable_gqa && query.dim() > 2) {
    int64_t heads = query.size(-3);
    if (k.size(-3) == 0 || heads % k.size(-3) || heads % v.size(-3))
      throw RuntimeError(op, "(): with enable_gqa the number of query heads (", heads,
                         ") must be a multiple of those of key (", k.size(-3), ") and value (", v.size(-3),
                         ")");
    k = repeat_heads(k, heads / k.size(-3));
    v = repeat_heads(v, heads / v.size(-3));
  }
  if (is_reduced(query.dtype())) {
    // Scores of half precision lose what softmax needs.
    auto wide = [](const Tensor& t) {
      return t.defined() && is_reduced(t.dtype()) ? to(t, DType::Float32, false, false) : t;
    };
    Tensor out = _scaled_dot_product_attention(wide(query), wide(k), wide(v), wide(attn_mask), dropout_p,
                                               is_causal, scale, false);
    return to(out, query.dtype(), false, false);
  }
  double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  if (query.is_floating() && !attn_mask.defined() && dropout_p == 0 && same_stacks(query, k, v) &&
      query.numel() && k.numel() && v.numel())
    return fused_attention(query, k, v, Attention{factor, is_causal});
  Tensor scores = matmul(query * Scalar(factor), transpose(k, -2, -1));
  Tensor mask = attn_mask;
  if (is_causal) mask = causal_mask(query, key);
  if (mask.defined()) {
    scores = mask.dtype() == DType::Bool ? where(mask, scores, Scalar(-INFINITY)) : scores + mask;
  }
  Tensor weights = softmax(scores, -1, std::nullopt);
  // A query that may look nowhere gets zeros, not NaN.
  if (mask.defined() && mask.dtype() == DType::Bool)
    weights = where(logical_not(any(mask, Shape{-1}, true)), Scalar(0), weights);
  if (dropout_p > 0) weights = functional::dropout(weights, dropout_p, true, false);
  return matmul(weights, v);
}

}  // namespace mlx
