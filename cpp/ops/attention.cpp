// Attention.

#include <cmath>

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
  Tensor scores = matmul(query * Scalar(factor), transpose(k, -2, -1));
  Tensor mask = attn_mask;
  if (is_causal) mask = tril(ones({query.size(-2), key.size(-2)}, DType::Bool, query.device()), 0);
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
