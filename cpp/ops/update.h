#pragma once
// Ops that change some elements of a tensor: a copy of the input that is then written to, or the input
// itself for the forms whose names end in _.

#include "ops.h"
#include "ops/pointwise.h"
#include "ops/widening.h"

namespace mlx {

// A copy of the elements, without history.
inline Tensor copy_of(const Tensor& t) {
  Tensor out = allocate(t.shape(), t.dtype(), t.device());
  copy_data(out, t);
  return out;
}

// `t`, or a copy of it when writing to `self` would change it.
inline Tensor apart_from(const Tensor& self, const Tensor& t) {
  return may_share_memory(self, t) ? copy_of(t) : t;
}

// Elements of a half type joined by `join(total)`. Such a type cannot hold a running total (bfloat16 counts
// no further than 256), so that it is kept in the wider one and rounded once.
template <class Join>
void join_widened(const Tensor& self, Join join) {
  Tensor total = widened(self);
  join(total);
  copy_data(self, total);
}

// self changed by `write(self)`; when the tape takes notes, by the recorded op `functional(self)`.
template <class Write, class Functional>
Tensor update_in_place(const Tensor& self, std::initializer_list<const Tensor*> sources, const char* op,
                       Write write, Functional functional) {
  check_writable(self, op);
  const bool view_of_recorded = GradMode::enabled() && self.impl()->base && self.impl()->base->requires_grad;
  if (view_of_recorded || recording({&self}) || recording(sources))
    return assign_in_place(self, functional(readable_copy(self)), op);
  write(self);
  self.changed();
  return self;
}

}  // namespace mlx
