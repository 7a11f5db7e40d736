// Sorting, selecting by rank, and looking up in sorted sequences.

#include <limits>

#include "base/representable.h"
#include "ops/check.h"
#include "ops/reduction.h"

namespace mlx {
namespace {

using Pair = std::tuple<Tensor, Tensor>;

// A dimension last, as the rows of a matrix without gaps, and results of k elements a row back in its place.
struct RowsOf {
  RowsOf(const Tensor& t, int64_t dim) : dims(t.dim()), d(dim) {
    GradModeGuard off(false);
    Tensor last = contiguous(dims ? movedim(t, {d}, {-1}) : reshape(t, {1}));
    lead = Shape(last.shape().begin(), last.shape().end() - 1);
    rows = reshape(last, {numel(lead), last.size(-1)});
  }
  Tensor back(const Tensor& result) const {  // (rows, k)
    GradModeGuard off(false);
    if (!dims) return alias(reshape(result, {}));
    Shape shape = lead;
    shape.push_back(result.size(1));
    return alias(movedim(reshape(result, shape), {-1}, {d}));
  }
  Tensor back_reduced(const Tensor& result, bool keepdim) const {  // (rows)
    Tensor kept = back(reshape(result, {-1, 1}));
    return alias(dims && !keepdim ? squeeze(kept, d) : kept);
  }
  int64_t dims, d;
  Shape lead;
  Tensor rows;
};

void refuse_complex(const char* op, const Tensor& input) {
  if (input.is_complex())
    throw RuntimeError(op, "(): not implemented for complex tensors, which have no order");
}

// Ties the values to the input: their gradient goes where they came from.
Pair selected(const char* name, const Tensor& input, const Tensor& values, const Tensor& indices, int64_t d) {
  record_all(name, {&values}, {&input},
             [d, shape = input.shape(), indices = save(indices)](Backward& b) -> Grads {
               return {add_along(b.grad(), shape, d, b.get(indices))};
             });
  return {values, indices};
}

Pair selected_one(const char* name, const Tensor& input, const Tensor& values, const Tensor& indices,
                  int64_t d, bool keepdim) {
  record_all(name, {&values}, {&input},
             [=, shape = input.shape(), indices = save(indices)](Backward& b) -> Grads {
               Tensor at = b.get(indices), g = b.grad();
               if (!shape.empty() && !keepdim) {
                 at = unsqueeze(at, d);
                 g = unsqueeze(g, d);
               }
               return {add_along(g, shape, d, at)};
             });
  return {values, indices};
}

Pair sorted_pair(const Tensor& input, int64_t dim, bool descending) {
  refuse_complex("sort", input);
  const int64_t d = wrap_dim(dim, input.dim());
  RowsOf in(input, d);
  Tensor values = allocate(in.rows.shape(), input.dtype(), input.device()),
         indices = allocate(in.rows.shape(), DType::Int64, input.device());
  if (values.numel()) launch(Sort{descending}, {&values, &indices}, {&in.rows});
  return selected("Sort", input, in.back(values), in.back(indices), d);
}

template <class Kernel>
Pair one_of_each_row(const char* op, const char* name, const Kernel& kernel, const Tensor& input, int64_t dim,
                     bool keepdim) {
  refuse_complex(op, input);
  const int64_t d = wrap_dim(dim, input.dim());
  if (input.dim() && input.size(d) == 0)
    throw IndexError(op, "(): Expected reduction dim ", d, " to have non-zero size.");
  RowsOf in(input, d);
  Tensor values = allocate({in.rows.size(0)}, input.dtype(), input.device()),
         indices = allocate({in.rows.size(0)}, DType::Int64, input.device());
  if (values.numel()) launch(kernel, {&values, &indices}, {&in.rows});
  return selected_one(name, input, in.back_reduced(values, keepdim), in.back_reduced(indices, keepdim), d,
                      keepdim);
}

Tensor median_of_all(Selection kind, const Tensor& input) {
  Tensor out;
  if (input.numel() == 0)
    out = full({},
               input.is_inexact() ? Scalar(std::numeric_limits<double>::quiet_NaN())
                                  : Scalar(std::numeric_limits<int64_t>::min()),
               input.dtype(), input.device());
  else
    out = std::get<0>(
        one_of_each_row("median", "Median", Select{kind, 0}, reshape(detach(input), {-1}), 0, false));
  return record("Median", out, {&input},
                [input = save(input), result = save_output(out)](Backward& b) -> Grads {
                  return {shared_gradient(b.grad(), b.get(input), b.get(result), {}, false)};
                });
}

// ---- quantiles

Tensor quantiles(const char* op, const Tensor& input, const Tensor& q, std::optional<int64_t> dim,
                 bool keepdim, const std::string& interpolation, bool ignore_nan) {
  if (input.numel() == 0) throw RuntimeError(op, "() input tensor must be non-empty");
  if (q.dim() > 1) throw RuntimeError(op, "() q must be a scalar or 1D tensor");
  if (input.dtype() != DType::Float32 && input.dtype() != DType::Float64)
    throw RuntimeError(op, "() input tensor must be either float or double dtype");
  if (q.dtype() != input.dtype())
    throw RuntimeError(op, "() q tensor must be same dtype as the input tensor");
  raise_if_any(logical_not(logical_and(ge(q, 0), le(q, 1))), Check::Runtime,
               "quantile() q values must be in the range [0, 1]");
  Tensor x = dim ? (input.dim() ? movedim(input, {*dim}, {-1}) : reshape(input, {1})) : reshape(input, {-1});
  const int64_t n = x.size(-1);
  Tensor ordered = std::get<0>(sorted_pair(x, -1, false));
  // Ranks along a last dimension of the quantiles; a row with NaN is NaN throughout (or ranked without them).
  Shape lead(x.shape().begin(), x.shape().end() - 1), wide = lead;
  wide.push_back(std::max<int64_t>(q.numel(), q.dim() ? 0 : 1));
  Tensor asked = reshape(q, {-1}), rank;
  if (ignore_nan) {
    Tensor last =
        to(sum(logical_not(isnan(detach(x))), Shape{-1}, true), x.dtype(), false, false) - Scalar(1);
    rank = asked * last;
    rank = where(lt(rank, 0), 0, rank);
  } else {
    rank = expand(asked * Scalar(n - 1), wide);
    rank = where(any(isnan(detach(x)), Shape{-1}, true), n - 1, rank);
  }
  rank = contiguous(expand(rank, wide));
  Tensor below = to(detach(rank), DType::Int64, false, false),
         part = rank - to(below, rank.dtype(), false, false);
  Tensor above = where(gt(part, 0), below + Scalar(1), below);
  Tensor low = take_along(ordered, -1, below), high = take_along(ordered, -1, above), out;
  if (interpolation == "linear") {
    // From the nearer end, so that equal neighbours give themselves exactly.
    Tensor step = high - low;
    out = where(lt(part, 0.5), low + part * step, high - step * (Scalar(1) - part));
  } else if (interpolation == "lower") {
    out = low;
  } else if (interpolation == "higher") {
    out = high;
  } else if (interpolation == "midpoint") {
    out = low + to(gt(part, 0), part.dtype(), false, false) * Scalar(0.5) * (high - low);
  } else if (interpolation == "nearest") {
    Tensor odd = ne(remainder(below, 2), 0);
    Tensor up = logical_or(gt(part, 0.5), logical_and(eq(part, 0.5), odd));
    out = where(up, high, low);
  } else {
    throw RuntimeError(op,
                       "() interpolation must be one of linear, lower, higher, midpoint or nearest, but got ",
                       interpolation);
  }
  if (keepdim) {
    if (!dim) {
      Shape ones(input.shape().size(), 1);
      ones.push_back(wide.back());
      out = reshape(out, ones);
    } else if (input.dim()) {
      out = movedim(unsqueeze(out, -2), {-2}, {wrap_dim(*dim, input.dim())});
    } else {
      out = reshape(out, {wide.back()});
    }
  }
  return q.dim() ? movedim(out, {-1}, {0}) : squeeze(out, -1);
}

// ---- lookups

Tensor matched_rows(const Tensor& t) {
  const int64_t n = t.dim() ? t.size(-1) : 1;
  return contiguous(reshape(t, {n ? t.numel() / n : 0, n}));
}

// The number as a value to look up, in the dtype that it and the boundaries have in common if that holds it.
Tensor value_among(const Tensor& boundaries, const Scalar& value) {
  Tensor number = wrapped_number(value);
  const DType common = result_type({&boundaries, &number});
  return full({}, value, is_representable(value, common) ? common : number.dtype(), boundaries.device());
}

Tensor lookup(const char* op, const Tensor& sorted, const Tensor& values, bool out_int32, bool right) {
  bool same_lead = sorted.dim() == values.dim();
  for (int64_t i = 0; same_lead && i + 1 < sorted.dim(); ++i) same_lead = sorted.size(i) == values.size(i);
  if (sorted.dim() != 1 && !same_lead)
    throw RuntimeError(op,
                       "(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
                       "boundaries tensor and input value tensor must match, but we got boundaries tensor ",
                       sorted.shape(), " and input value tensor ", values.shape());
  GradModeGuard off(false);
  const DType compute = compute_type(promote(sorted.dtype(), values.dtype()));
  Tensor out = allocate(values.shape(), DType::Int64, values.device());
  Tensor from = matched_rows(to(sorted, compute, false, false)),
         asked = matched_rows(to(values, compute, false, false));
  if (sorted.dim() == 1) {
    from = reshape(from, {1, sorted.size(0)});
    asked = reshape(asked, {1, values.numel()});
  }
  if (out.numel()) launch(SearchSorted{right}, {&out}, {&from, &asked});
  return out_int32 ? to(out, DType::Int32, false, false) : out;
}

}  // namespace

// The elements along a dimension in rising (or falling) order, and where they came from. NaN is the largest.
//
// >>> mlx.tensor([3, 1, 2]).sort().values
// tensor([1, 2, 3])
OP("sort(Tensor input, int dim=-1, bool descending=False, bool stable=False) -> (Tensor values, Tensor "
   "indices)");
std::tuple<Tensor, Tensor> sort(const Tensor& input, int64_t dim, bool descending, bool) {
  return sorted_pair(input, dim, descending);
}
OP("sort(Tensor input, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
   "indices)");
std::tuple<Tensor, Tensor> sort(const Tensor& input, std::optional<bool>, int64_t dim, bool descending) {
  return sorted_pair(input, dim, descending);
}

// Where the elements of the sorted tensor came from.
OP("argsort(Tensor input, int dim=-1, bool descending=False, bool stable=False) -> Tensor");
Tensor argsort(const Tensor& input, int64_t dim, bool descending, bool) {
  return std::get<1>(sorted_pair(detach(input), dim, descending));
}

// Sorted along the first dimension.
OP("msort(Tensor input) -> Tensor");
Tensor msort(const Tensor& input) { return std::get<0>(sorted_pair(input, 0, false)); }

// The k largest (or smallest) elements along a dimension, in order, and where they are.
OP("topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor "
   "indices)");
std::tuple<Tensor, Tensor> topk(const Tensor& input, int64_t k, int64_t dim, bool largest, bool) {
  refuse_complex("topk", input);
  const int64_t d = wrap_dim(dim, input.dim()), n = input.dim() ? input.size(d) : 1;
  if (k < 0 || k > n)
    throw RuntimeError("topk(): selected index k out of range: k=", k, " for dimension ", d, " of size ", n);
  RowsOf in(input, d);
  Shape shape = {in.rows.size(0), k};
  Tensor values = allocate(shape, input.dtype(), input.device()),
         indices = allocate(shape, DType::Int64, input.device());
  if (values.numel()) launch(TopK{largest}, {&values, &indices}, {&in.rows});
  if (input.dim() == 0 && k == 0) return {reshape(values, {0}), reshape(indices, {0})};
  return selected("Topk", input, in.back(values), in.back(indices), d);
}

// The k-th smallest element along a dimension (k counts from 1), and where it is.
OP("kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> kthvalue(const Tensor& input, int64_t k, int64_t dim, bool keepdim) {
  const int64_t n = input.dim() ? input.size(dim) : 1;
  if (n > 0 && (k < 1 || k > n))
    throw RuntimeError("kthvalue(): selected number k out of range for dimension ", dim, ": k=", k, ", size ",
                       n);
  return one_of_each_row("kthvalue", "Kthvalue", Select{Selection::Kth, k - 1}, input, dim, keepdim);
}

// The middle element (the lower of two); NaN if there is one. Of all elements, equal ones share the gradient.
OP("median(Tensor input) -> Tensor");
Tensor median(const Tensor& input) { return median_of_all(Selection::Median, input); }
OP("median(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> median(const Tensor& input, int64_t dim, bool keepdim) {
  return one_of_each_row("median", "Median", Select{Selection::Median, 0}, input, dim, keepdim);
}

// The middle element (the lower of two) of those that are not NaN.
OP("nanmedian(Tensor input) -> Tensor");
Tensor nanmedian(const Tensor& input) { return median_of_all(Selection::NanMedian, input); }
OP("nanmedian(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> nanmedian(const Tensor& input, int64_t dim, bool keepdim) {
  return one_of_each_row("nanmedian", "Nanmedian", Select{Selection::NanMedian, 0}, input, dim, keepdim);
}

// The most frequent element along a dimension (the smallest of several), and its last place.
OP("mode(Tensor input, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> mode(const Tensor& input, int64_t dim, bool keepdim) {
  return one_of_each_row("mode", "Mode", Mode{}, input, dim, keepdim);
}

// The q-quantiles along a dimension or of all elements; quantiles come first in the result's shape.
OP("quantile(Tensor input, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> "
   "Tensor");
Tensor quantile(const Tensor& input, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                const std::string& interpolation) {
  return quantiles("quantile", input, q, dim, keepdim, interpolation, false);
}
OP("quantile(Tensor input, float q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> "
   "Tensor");
Tensor quantile(const Tensor& input, double q, std::optional<int64_t> dim, bool keepdim,
                const std::string& interpolation) {
  if (!(q >= 0 && q <= 1)) throw RuntimeError("quantile() q must be in the range [0, 1] but got ", q);
  return quantiles("quantile", input, full({}, q, input.dtype(), input.device()), dim, keepdim, interpolation,
                   false);
}

// The q-quantiles of the elements that are not NaN.
OP("nanquantile(Tensor input, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> "
   "Tensor");
Tensor nanquantile(const Tensor& input, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                   const std::string& interpolation) {
  return quantiles("nanquantile", input, q, dim, keepdim, interpolation, true);
}
OP("nanquantile(Tensor input, float q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> "
   "Tensor");
Tensor nanquantile(const Tensor& input, double q, std::optional<int64_t> dim, bool keepdim,
                   const std::string& interpolation) {
  if (!(q >= 0 && q <= 1)) throw RuntimeError("nanquantile() q must be in the range [0, 1] but got ", q);
  return quantiles("nanquantile", input, full({}, q, input.dtype(), input.device()), dim, keepdim,
                   interpolation, true);
}

// For each element the place in the sorted sequence before which it would be inserted.
OP("searchsorted(Tensor sorted_sequence, Tensor input, *, bool out_int32=False, bool right=False, str? "
   "side=None, Tensor? sorter=None) -> Tensor");
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& input, bool out_int32, bool right,
                    const std::optional<std::string>& side, const Tensor& sorter) {
  if (side && *side != "left" && *side != "right")
    throw RuntimeError("searchsorted(): side can only be 'left' or 'right' but got ", *side);
  if (side && right && *side == "left")
    throw RuntimeError(
        "searchsorted(): side and right can't be set to opposites, got side of left while right was True");
  Tensor sorted = sorter.defined() ? take_along_dim(detach(sorted_sequence), sorter, -1) : sorted_sequence;
  return lookup("searchsorted", sorted, input, out_int32, right || (side && *side == "right"));
}
OP("searchsorted(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? "
   "side=None, Tensor? sorter=None) -> Tensor");
Tensor searchsorted(const Tensor& sorted_sequence, const Scalar& self, bool out_int32, bool right,
                    const std::optional<std::string>& side, const Tensor& sorter) {
  return searchsorted(sorted_sequence, value_among(sorted_sequence, self), out_int32, right, side, sorter);
}

// For each element the bucket between sorted boundaries that it falls into.
OP("bucketize(Tensor input, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor");
Tensor bucketize(const Tensor& input, const Tensor& boundaries, bool out_int32, bool right) {
  if (boundaries.dim() != 1)
    throw RuntimeError("bucketize(): boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(),
                       ")");
  return lookup("bucketize", boundaries, input, out_int32, right);
}
OP("bucketize(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor");
Tensor bucketize(const Scalar& self, const Tensor& boundaries, bool out_int32, bool right) {
  return bucketize(value_among(boundaries, self), boundaries, out_int32, right);
}

}  // namespace mlx
