// t[index] and t[index] = value.

#include "bindings/tensor_type.h"
#include "ops.h"

namespace mlx::bindings {

PyObject* get_item(PyObject* self, PyObject* index) {
  return guarded([&] { return wrap(select(tensor_of(self), 0, py::cast<int64_t>(py::handle(index)))); });
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  return guarded_int([&] {
    copy_(select(tensor_of(self), 0, py::cast<int64_t>(py::handle(index))), tensor_from_data(value, std::nullopt, false), false);
    return 0;
  });
}

}  // namespace mlx::bindings
