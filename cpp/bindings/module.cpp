// The extension module mlx._C: everything that the package `mlx` is made of.

#include "bindings/op_table.h"
#include "bindings/tensor_type.h"

PYBIND11_MODULE(_C, m) {
  using namespace mlx::bindings;
  m.doc() = "The C++ core of mlx.";
  make_tensor_type(m);
  add_values(m);
  add_ops(m);
  add_autograd(m);
  add_data(m);
}
