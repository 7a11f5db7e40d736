#pragma once
// Automatic mixed precision: within it, ops that gain from a lower precision get their arguments in it, and
// ops that suffer get them in float32. It acts on calls from Python alone: what an op is composed of, and the
// backward pass, run in the dtypes that result.

#include "bindings/op_table.h"

namespace mlx::bindings {

// What happens to the tensors among an op's arguments.
enum class CastPolicy : uint8_t { None, Lower, Float32, Widest };

struct Autocast {
  // Whether it is on for any device: all that a call outside of it tests.
  static bool active() { return active_; }
  static inline constinit thread_local bool active_ = false;
};

// The policy of an op on the devices of a kind.
CastPolicy cast_policy(const std::string& path, DeviceType device);

// Replaces tensors among an op's arguments by casts, which `held` keeps alive.
void cast_arguments(const std::string& path, PyObject** values, int count, py::list& held);

// The same for the operands of a Python operator.
void cast_operands(const char* op, Tensor& a, Tensor& b);

// What calls of a compiled function have to agree in.
int64_t autocast_key();

void add_autocast(py::module_& module);

}  // namespace mlx::bindings
