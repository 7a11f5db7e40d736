// Distinct elements, membership and counts.

#include <cmath>

#include "ops/check.h"
#include "ops/reduction.h"

namespace mlx {
namespace {

struct Distinct {
  Tensor values, inverse, counts;
};

// From elements in order to the first of each run of equals: which of the items (a bool for each) starts a
// run.
struct Runs {
  Tensor starts;  // true where a run begins
  Tensor number;  // the run that each item belongs to
};

Runs runs_of(const Tensor& differs, Device device) {
  Tensor first = ones({1}, DType::Bool, device);
  Tensor starts = differs.defined() ? cat({first, differs}, 0) : first;
  return {starts, cumsum(starts, 0) - Scalar(1)};
}

Tensor counted(const Tensor& number, int64_t bins) { return bincount(number, {}, bins); }

// The elements of a sorted (or any) vector, one for each run of equals.
Distinct distinct_runs(const Tensor& x) {
  const int64_t n = x.size(0);
  if (n == 0) return {x, zeros({0}, DType::Int64, x.device()), zeros({0}, DType::Int64, x.device())};
  Runs runs = runs_of(n > 1 ? ne(narrow(x, 0, 1, n - 1), narrow(x, 0, 0, n - 1)) : Tensor(), x.device());
  Tensor values = masked_select(x, runs.starts);
  return {values, runs.number, counted(runs.number, values.size(0))};
}

Tensor scattered(const Tensor& numbers, const Tensor& order) {
  Tensor out = zeros(order.shape(), DType::Int64, order.device());
  return scatter(out, 0, order, numbers);
}

// The same for whole slices along a dimension.
Distinct distinct_slices(const Tensor& input, int64_t dim, bool sorts) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor rows = contiguous(movedim(input, {d}, {0}));
  const int64_t n = rows.size(0);
  for (int64_t i = 0; i < input.dim(); ++i)
    if (input.size(i) == 0 && i != d && n > 0)
      throw RuntimeError(
          "unique(): there are 0 sized dimensions, and they aren't selected, so unique cannot be applied");
  const Device device = input.device();
  if (n == 0) return {input, zeros({0}, DType::Int64, device), zeros({0}, DType::Int64, device)};
  Tensor flat = reshape(rows, {n, rows.numel() / n}), order = arange(0, n, 1, DType::Int64, device);
  if (sorts) launch(RowOrder{}, {&order}, {&flat});
  Tensor ordered = index_select(flat, 0, order);
  Runs runs = runs_of(
      n > 1 ? any(ne(narrow(ordered, 0, 1, n - 1), narrow(ordered, 0, 0, n - 1)), Shape{1}) : Tensor(),
      device);
  Tensor chosen = masked_select(order, runs.starts);
  Tensor values = index_select(input, d, chosen);
  return {values, scattered(runs.number, order), counted(runs.number, chosen.size(0))};
}

}  // namespace

// (distinct values in order, where each element's value is among them, how many there are of each), of all
// elements.
OP("_unique2(Tensor input, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor "
   "output, Tensor inverse_indices, Tensor counts)");
std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& input, bool, bool, bool) {
  GradModeGuard off(false);
  Tensor flat = reshape(input, {-1});
  auto [ordered, order] = sort(flat, 0, false, false);
  Distinct found = distinct_runs(ordered);
  return {found.values, reshape(scattered(found.inverse, order), input.shape()), found.counts};
}

// The same for slices along a dimension.
OP("_unique_dim(Tensor input, int dim, bool sorted=True, bool return_inverse=False, bool "
   "return_counts=False) -> (Tensor output, Tensor inverse_indices, Tensor counts)");
std::tuple<Tensor, Tensor, Tensor> _unique_dim(const Tensor& input, int64_t dim, bool, bool, bool) {
  GradModeGuard off(false);
  Distinct found = distinct_slices(input, dim, true);
  return {found.values, found.inverse, found.counts};
}

// The same for neighbours that are equal, in the order that they have.
OP("_unique_consecutive(Tensor input, bool return_inverse=False, bool return_counts=False, int? dim=None) -> "
   "(Tensor output, Tensor inverse_indices, Tensor counts)");
std::tuple<Tensor, Tensor, Tensor> _unique_consecutive(const Tensor& input, bool, bool,
                                                       std::optional<int64_t> dim) {
  GradModeGuard off(false);
  if (dim) {
    Distinct found = distinct_slices(input, *dim, false);
    return {found.values, found.inverse, found.counts};
  }
  Distinct found = distinct_runs(reshape(input, {-1}));
  return {found.values, reshape(found.inverse, input.shape()), found.counts};
}

// How many elements are 0, 1, 2, ...; with weights, their sums.
OP("bincount(Tensor input, Tensor? weights=None, int minlength=0) -> Tensor");
Tensor bincount(const Tensor& input, const Tensor& weights, int64_t minlength) {
  if (input.is_inexact() || input.dtype() == DType::Bool)
    throw NotImplementedError("\"bincount_cpu\" not implemented for '", short_name(input.dtype()), "'");
  if (minlength < 0) throw RuntimeError("bincount(): minlength should be >= 0");
  if (input.dim() != 1) throw RuntimeError("bincount only supports 1-d non-negative integral inputs.");
  if (weights.defined() && weights.shape() != input.shape())
    throw RuntimeError("bincount(): weights should be 1-d and have the same length as input");
  GradModeGuard off(false);
  Tensor x = contiguous(to(input, DType::Int64, false, false));
  int64_t bins = minlength;
  if (x.numel()) {
    if (item(min(x)).to_int() < 0)
      throw RuntimeError("bincount only supports 1-d non-negative integral inputs.");
    bins = std::max(bins, item(max(x)).to_int() + 1);
  }
  DType type = !weights.defined()                  ? DType::Int64
               : weights.dtype() == DType::Float32 ? DType::Float32
                                                   : widest_float(input.device());
  Tensor out = allocate({bins}, type, input.device());
  Tensor w = weights.defined() ? contiguous(to(weights, type, false, false)) : weights;
  if (bins) launch(Bincount{}, {&out}, {&x, &w});
  return out;
}

// How many elements fall into each of `bins` equal parts of [min, max] (the input's own range when they are
// equal).
OP("histc(Tensor input, int bins=100, Scalar min=0, Scalar max=0) -> Tensor");
Tensor histc(const Tensor& input, int64_t bins, const Scalar& min, const Scalar& max) {
  if (bins <= 0) throw RuntimeError("histc(): bins must be > 0, but got ", bins);
  if (input.is_complex() || input.dtype() == DType::Bool)
    throw NotImplementedError("\"histogram_cpu\" not implemented for '", short_name(input.dtype()), "'");
  GradModeGuard off(false);
  // Half types are sorted into bins in their own arithmetic, as in PyTorch.
  const DType type = is_reduced(input.dtype()) ? input.dtype() : widest_float(input.device());
  Tensor x = reshape(to(input, type, false, false), {-1});
  const double low = min.to_double(), high = max.to_double();
  if (low > high) throw RuntimeError("histc(): max must be larger than min");
  if (!std::isfinite(low) || !std::isfinite(high))
    throw RuntimeError("histc(): range of [", low, ", ", high, "] is not finite");
  Tensor first = full({}, low, type, input.device()), last = full({}, high, type, input.device());
  if (low == high && x.numel()) {
    first = mlx::min(x), last = mlx::max(x);
    raise_if_any(logical_not(isfinite(last - first)), Check::Runtime,
                 "histc(): the range of the elements is not finite");
  }
  const Tensor margin = to(eq(first, last), type, false, false);  // of a range that is a point
  first = first - margin, last = last + margin;
  Tensor inside = logical_and(ge(x, first), le(x, last));
  const Tensor scaled = (x - first) * Scalar(static_cast<double>(bins)) / (last - first);
  Tensor place = to(where(inside, scaled, 0), DType::Int64, false, false);
  place = where(ge(place, bins), bins - 1, place);
  Tensor counts = index_add(zeros({bins}, DType::Int64, input.device()), 0, place, to(inside, DType::Int64));
  return to(counts, input.dtype(), false, false);
}

// Whether each element is one of the test elements.
OP("isin(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor");
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool, bool invert) {
  GradModeGuard off(false);
  const DType type = result_type({&elements, &test_elements});
  Tensor test = std::get<0>(sort(reshape(to(test_elements, type, false, false), {-1}), 0, false, false));
  Tensor x = to(elements, type, false, false), found;
  const int64_t n = test.size(0);
  if (n == 0) {
    found = zeros(elements.shape(), DType::Bool, elements.device());
  } else {
    Tensor at = searchsorted(test, x, false, false, std::nullopt, {});
    Tensor near = reshape(index_select(test, 0, reshape(where(ge(at, n), n - 1, at), {-1})), x.shape());
    found = eq(near, x);
  }
  return invert ? logical_not(found) : found;
}
OP("isin(Tensor elements, Scalar test_element, *, bool assume_unique=False, bool invert=False) -> Tensor");
Tensor isin(const Tensor& elements, const Scalar& test_element, bool, bool invert) {
  return invert ? ne(elements, test_element) : eq(elements, test_element);
}
OP("isin(Scalar element, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor");
Tensor isin(const Scalar& element, const Tensor& test_elements, bool assume_unique, bool invert) {
  return isin(wrapped_number(element), test_elements, assume_unique, invert);
}

// Differences of neighbours along a dimension, n times, with elements put before and after.
OP("diff(Tensor input, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor");
Tensor diff(const Tensor& input, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
  if (input.dim() == 0) throw RuntimeError("diff expects input to be at least one-dimensional");
  if (n < 0) throw RuntimeError("order must be non-negative but got ", n);
  const int64_t d = wrap_dim(dim, input.dim());
  if (n == 0) return clone(input);
  TensorList parts;
  for (const Tensor* t : {&prepend, &input, &append})
    if (t->defined()) parts.push_back(*t);
  Tensor x = parts.size() > 1 ? cat(parts, d) : input;
  for (int64_t i = 0; i < n && x.size(d) > 0; ++i) {
    const int64_t size = x.size(d) - 1;
    Tensor after = narrow(x, d, 1, size), before = narrow(x, d, 0, size);
    x = x.dtype() == DType::Bool ? logical_xor(after, before) : after - before;
  }
  return x;
}

}  // namespace mlx
