#include "ops/pointwise.h"

#include "backends/backend.h"
#include "base/representable.h"
#include "ops.h"

namespace mlx {
namespace {

bool all_numbers(Operands operands) {
  for (const Tensor* t : operands)
    if (!t->impl()->wrapped_number) return false;
  return true;
}

DType common_dtype(const Row& row, Operands operands) {
  const Tensor& first = **operands.begin();
  bool same = !first.impl()->wrapped_number;
  for (const Tensor* t : operands) same &= t->dtype() == first.dtype() && !t->impl()->wrapped_number;
  DType common = first.dtype();
  const bool numbers = !same && all_numbers(operands);
  if (numbers) {
    for (const Tensor* t : operands) common = promote(common, t->dtype());
  } else if (!same) {
    Promotion p;
    for (const Tensor* t : operands) p.add(*t);
    common = p.result();
  }
  if (common == DType::Bool && !row.takes_bool())
    throw RuntimeError(row.name(),
                       "(): not defined for bool tensors; convert them to an integer dtype first");
  if (row.promote() != Promote::Float || is_inexact(common)) return common;
  return numbers ? DType::Float64 : default_dtype();
}

DType result_dtype(const Row& row, DType common) {
  switch (row.result()) {
    case Result::Same:
      return common;
    case Result::Bool:
      return DType::Bool;
    case Result::Real:
      return to_real(common);
    case Result::Complex:
      break;
  }
  return to_complex(common);
}

// The shape that all operands broadcast to; `room` holds it when it is none of theirs.
const Shape& common_shape(const Row& row, Operands operands, Shape& room) {
  const Shape* shape = &(*operands.begin())->shape();
  for (const Tensor* t : operands) {
    if (t->shape() == *shape) continue;
    room = broadcast_shapes(*shape, t->shape(), row.public_name());
    shape = &room;
  }
  return *shape;
}

// The device of the operands; zero-dimensional CPU tensors may join any device.
Device common_device(const Row& row, Operands operands) {
  Device device = (*operands.begin())->device();
  for (const Tensor* t : operands) {
    if (t->device() == device) continue;
    if (device == Device{} && (*operands.begin())->dim() == 0)
      device = t->device();
    else if (!(t->device() == Device{} && t->dim() == 0))
      throw RuntimeError(row.public_name(), "(): expected all tensors to be on the same device, but found ",
                         device, " and ", t->device());
  }
  return device;
}

// Numbers that an element of the common dtype cannot hold. Most are integers among floats, which it can.
void check_numbers(DType common, Operands operands) {
  for (const Tensor* t : operands)
    if (t->impl()->wrapped_number && !(is_inexact(common) && is_integral(t->dtype())) && !is_traced(*t))
      check_representable(item(*t), common);
}

void compute(const Row& row, DType common, const Tensor& out, Operands operands, Params params) {
  if (row.fits_numbers()) check_numbers(common, operands);
  if (out.numel() == 0) return;
  Pointwise kernel{
      row.formula(), compute_type(common), row.result(), static_cast<uint8_t>(params.size()), {}};
  std::copy(params.begin(), params.end(), kernel.params);
  if (is_reduced(common) && row.rounds_numbers()) {
    // As in PyTorch, a number meets half types as an element of theirs.
    Tensor rounded[kMaxOperands];
    const Tensor* list[kMaxOperands];
    size_t n = 0;
    for (const Tensor* t : operands) {
      if (t->impl()->wrapped_number) rounded[n] = to(*t, common, false, false);
      list[n] = rounded[n].defined() ? &rounded[n] : t;
      ++n;
    }
    const Tensor* outputs[] = {&out};
    return launch(kernel, outputs, std::span<const Tensor* const>(list, n));
  }
  launch(kernel, {&out}, operands);
}

void record_node(const Row& row, const Tensor& out, Operands operands, Params params) {
  if (!out.is_inexact()) return;
  Ref<Node> node(new PointwiseNode(row));
  const Tensor* outputs[] = {&out};
  static_cast<PointwiseNode&>(*node).keep({operands.begin(), operands.size()},
                                          {params.begin(), params.size()}, out);
  connect(node, outputs, {operands.begin(), operands.size()});
  for (size_t i = 0; i < operands.size(); ++i)
    if (!row.gradient_rule(i).apply) node->next[i] = {};
}

bool reads_operand(const Row& row, size_t i) {
  for (int rule = 0; rule < kMaxOperands; ++rule)
    if (row.gradient_rule(rule).reads & (1 << i)) return true;
  return false;
}

}  // namespace

Tensor pointwise(const Row& row, Operands operands, Params params) {
  DType common = common_dtype(row, operands);
  Shape room;
  Tensor out =
      allocate(common_shape(row, operands, room), result_dtype(row, common), common_device(row, operands));
  compute(row, common, out, operands, params);
  if (recording(operands)) record_node(row, out, operands, params);
  // What is computed of numbers alone, as gradients do, is a number still, and as precise.
  if ((*operands.begin())->impl()->wrapped_number) out.impl()->wrapped_number = all_numbers(operands);
  return out;
}

Tensor pointwise_in_place(const Row& row, Operands operands, Params params) {
  const Tensor& self = **operands.begin();
  check_writable(self, row.public_name());
  DType common = common_dtype(row, operands);
  DType result = result_dtype(row, common);
  if (row.result() == Result::Real && self.is_complex())
    throw RuntimeError("In-place ", row.public_name(), " is not supported for complex tensors.");
  if (!can_cast(result, self.dtype()) && result != DType::Bool)
    throw RuntimeError(row.public_name(), "_(): result type ", result,
                       " can't be cast to the desired output type ", self.dtype());
  Shape room;
  const Shape& shape = common_shape(row, operands, room);
  if (shape != self.shape())
    throw RuntimeError(row.public_name(), "_(): output with shape ", self.shape(),
                       " doesn't match the broadcast shape ", shape);

  if (recording(operands)) {
    Tensor old = reads_operand(row, 0) ? clone(self) : self;
    SmallVector<const Tensor*, kMaxOperands> list(operands.begin(), operands.end());
    list[0] = &old;
    Tensor value = [&] {
      switch (list.size()) {
        case 1:
          return pointwise(row, {list[0]}, params);
        case 2:
          return pointwise(row, {list[0], list[1]}, params);
        case 3:
          return pointwise(row, {list[0], list[1], list[2]}, params);
        default:
          return pointwise(row, {list[0], list[1], list[2], list[3]}, params);
      }
    }();
    return assign_in_place(self, value, row.public_name());
  }
  bool overlaps = false;
  for (const Tensor* t : operands) overlaps |= !same_layout(*t, self) && may_share_memory(*t, self);
  if (overlaps) {
    Tensor value = allocate(shape, result, self.device());
    compute(row, common, value, operands, params);
    copy_data(self, value);
  } else {
    compute(row, common, self, operands, params);
  }
  self.changed();
  return self;
}

std::string PointwiseNode::kind() const {
  if (row_.node()) return row_.node();
  std::string name;
  for (const char* c = row_.public_name(); *c; ++c)
    if (*c != '_') name += name.empty() || c[-1] == '_' ? static_cast<char>(std::toupper(*c)) : *c;
  return name + "Backward0";
}

void PointwiseNode::keep(std::span<const Tensor* const> operands, std::span<const Scalar> params,
                         const Tensor& out) {
  Keeping keeping;
  uint8_t reads = 0;
  for (size_t i = 0; i < operands.size(); ++i)
    if (operands[i]->requires_grad()) reads |= row_.gradient_rule(i).reads;
  if (reads & ~kReadsOut) {
    saved_.resize(operands.size());
    for (size_t i = 0; i < operands.size(); ++i)
      if (reads & (1 << i)) saved_[i] = save(*operands[i]);
  }
  if (reads & kReadsOut) out_ = save_output(out);
  for (const Scalar& p : params) params_.push_back(p);
}

Grads PointwiseNode::backward(const Grads& grads) {
  if (released_) throw_released(*this);
  Grads results(next.size());
  for (size_t i = 0; i < next.size(); ++i)
    if (needs(i)) results[i] = row_.gradient_rule(i).apply(grads[0], *this);
  return results;
}

void PointwiseNode::release_saved() {
  // A node that kept nothing can run again, as in PyTorch.
  released_ = !saved_.empty() || out_.kept();
  saved_.clear();
  out_.reset();
}

}  // namespace mlx
