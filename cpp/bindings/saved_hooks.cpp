// mlx.autograd.graph.saved_tensors_hooks: what Python makes of the tensors that nodes keep.

#include "bindings/tensor_type.h"
#include "tape/saved_tensor.h"

namespace mlx::bindings {
namespace {

// A pair of hooks, held under the GIL, since nodes may die on any thread.
struct Hooks {
  py::object pack, unpack;
};

// The stack of a thread. `refusal` is why new hooks are not taken, where they are not.
struct HookStack {
  std::vector<Hooks> pairs;
  std::optional<std::string> refusal;
};

// Never destroyed: a thread may end when the interpreter is gone.
HookStack& hooks() {
  static thread_local auto* stack = new HookStack;
  return *stack;
}

class PackedByPython : public PackedTensor {
 public:
  PackedByPython(py::object packed, py::object unpack)
      : packed_(std::move(packed)), unpack_(std::move(unpack)) {}
  ~PackedByPython() override {
    py::gil_scoped_acquire gil;
    packed_ = py::object();
    unpack_ = py::object();
  }
  Tensor unpack() const override {
    py::gil_scoped_acquire gil;
    py::object result = unpack_(packed_);
    if (!is_tensor(result.ptr()))
      throw TypeError("Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
                      Py_TYPE(result.ptr())->tp_name);
    return tensor_of(result.ptr());
  }

 private:
  py::object packed_, unpack_;
};

Ref<PackedTensor> pack(const Tensor& data) {
  py::gil_scoped_acquire gil;
  Hooks pair = hooks().pairs.back();
  return Ref<PackedTensor>(new PackedByPython(pair.pack(data), pair.unpack));
}

}  // namespace

void add_saved_tensor_hooks(py::module_& m) {
  m.def("_push_saved_hooks", [](py::object pack_hook, py::object unpack_hook) {
    HookStack& stack = hooks();
    if (stack.refusal) throw RuntimeError(*stack.refusal);
    stack.pairs.push_back({std::move(pack_hook), std::move(unpack_hook)});
    SavedTensorHooks::pack = &pack;
  });
  m.def("_pop_saved_hooks", [] {
    HookStack& stack = hooks();
    if (!stack.pairs.empty()) stack.pairs.pop_back();
    if (stack.pairs.empty()) SavedTensorHooks::pack = nullptr;
  });
  // Why hooks are refused from now on, or None; gives what was before.
  m.def("_refuse_saved_hooks", [](py::object why) -> py::object {
    HookStack& stack = hooks();
    if (!why.is_none() && !stack.pairs.empty()) throw RuntimeError(py::cast<std::string>(why));
    py::object before = stack.refusal ? py::object(py::str(*stack.refusal)) : py::none();
    stack.refusal = why.is_none() ? std::nullopt : std::optional(py::cast<std::string>(why));
    return before;
  });
}

}  // namespace mlx::bindings
