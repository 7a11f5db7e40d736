#pragma once
// The arguments of one call from Python: bound to an op's parameters, then read as C++ values.

#include <optional>
#include <string>
#include <vector>

#include "bindings/python.h"
#include "ops/generator.h"

namespace mlx::bindings {

enum class Kind : uint8_t {
  Tensor,
  Operand,
  TensorList,
  OptionalTensorList,
  Scalar,
  Int,
  IntList,
  Float,
  FloatList,
  Bool,
  Str,
  Dtype,
  Device,
  Generator,
  Layout,
  MemoryFormat,
};

struct Argument {
  const char* name;
  Kind kind;
  int size;  // of an int[2]: one integer stands for two
  bool optional;
  bool has_default;
  bool keyword_only;
};

struct OpEntry;

class Args {
 public:
  Args(const OpEntry& op, PyObject* const* values) : op_(op), values_(values) {}

  const Tensor& tensor(int i) const;
  const Tensor& optional_tensor(int i) const;
  Tensor operand(int i) const;
  Tensor operand(int i, const Scalar& otherwise) const {
    return values_[i] ? operand(i) : wrapped_number(otherwise);
  }
  Tensor optional_operand(int i) const { return given(i) ? operand(i) : Tensor(); }
  TensorList tensors(int i) const;
  TensorList optional_tensors(int i) const { return given(i) ? tensors(i) : TensorList(); }
  Scalar scalar(int i) const;
  Scalar scalar(int i, const Scalar& otherwise) const { return values_[i] ? scalar(i) : otherwise; }
  int64_t integer(int i) const;
  int64_t integer(int i, int64_t otherwise) const { return values_[i] ? integer(i) : otherwise; }
  Shape ints(int i) const;
  Shape ints(int i, const Shape& otherwise) const { return values_[i] ? ints(i) : otherwise; }
  double real(int i) const;
  double real(int i, double otherwise) const { return values_[i] ? real(i) : otherwise; }
  std::vector<double> reals(int i) const;
  std::vector<double> reals(int i, std::vector<double> otherwise) const {
    return values_[i] ? reals(i) : otherwise;
  }
  bool boolean(int i) const;
  bool boolean(int i, bool otherwise) const { return values_[i] ? boolean(i) : otherwise; }
  std::string string(int i) const;
  std::string string(int i, const char* otherwise) const { return values_[i] ? string(i) : otherwise; }
  DType dtype(int i) const;

  std::optional<Scalar> optional_scalar(int i) const { return maybe(i, &Args::scalar_); }
  std::optional<int64_t> optional_integer(int i) const { return maybe(i, &Args::integer_); }
  std::optional<int64_t> optional_integer(int i, int64_t otherwise) const {
    return values_[i] ? optional_integer(i) : otherwise;
  }
  std::optional<Shape> optional_ints(int i) const { return maybe(i, &Args::ints_); }
  std::optional<Shape> optional_ints(int i, const Shape& otherwise) const {
    return values_[i] ? optional_ints(i) : otherwise;
  }
  std::optional<double> optional_real(int i) const { return maybe(i, &Args::real_); }
  std::optional<double> optional_real(int i, double otherwise) const {
    return values_[i] ? optional_real(i) : otherwise;
  }
  std::optional<std::vector<double>> optional_reals(int i) const { return maybe(i, &Args::reals_); }
  std::optional<bool> optional_boolean(int i) const { return maybe(i, &Args::boolean_); }
  std::optional<bool> optional_boolean(int i, bool otherwise) const {
    return values_[i] ? optional_boolean(i) : otherwise;
  }
  std::optional<std::string> optional_string(int i) const { return maybe(i, &Args::string_); }
  std::optional<std::string> optional_string(int i, const char* otherwise) const {
    return values_[i] ? optional_string(i) : std::optional<std::string>(otherwise);
  }
  std::optional<DType> optional_dtype(int i) const { return maybe(i, &Args::dtype); }
  std::optional<Device> optional_device(int i) const;
  Ref<Generator> generator(int i) const;

  // The result of a factory function, whose argument i is requires_grad.
  PyObject* with_grad(int i, const Tensor& result) const;

 private:
  bool given(int i) const { return values_[i] && values_[i] != Py_None; }
  template <class T>
  std::optional<T> maybe(int i, T (Args::*get)(int) const) const {
    return given(i) ? std::optional<T>((this->*get)(i)) : std::nullopt;
  }
  Scalar scalar_(int i) const { return scalar(i); }
  int64_t integer_(int i) const { return integer(i); }
  Shape ints_(int i) const { return ints(i); }
  double real_(int i) const { return real(i); }
  std::vector<double> reals_(int i) const { return reals(i); }
  bool boolean_(int i) const { return boolean(i); }
  std::string string_(int i) const { return string(i); }
  [[noreturn]] void wrong(int i, const char* expected) const;

  const OpEntry& op_;
  PyObject* const* values_;
};

// Whether a value may be passed for an argument: how an overload is chosen.
bool accepts(const Argument& argument, PyObject* value);

}  // namespace mlx::bindings
