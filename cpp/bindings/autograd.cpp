// The tape as Python sees it: backward(), grad modes, hooks, nodes, and the C++ half of autograd.Function.

#include <map>

#include "autograd/engine.h"
#include "bindings/tensor_type.h"
#include "ops.h"
#include "ops/pointwise.h"
#include "tape/grad_mode.h"
#include "tape/record.h"

namespace mlx::bindings {

PyObject* wrap_node(const Ref<Node>& node);
void add_saved_tensor_hooks(py::module_& m);  // saved_hooks.cpp

namespace {

TensorList tensor_list(py::handle sequence) {
  TensorList out;
  for (py::handle item : sequence) out.push_back(py::cast<Tensor>(item));
  return out;
}

py::object steal(PyObject* o) { return py::reinterpret_steal<py::object>(checked(o)); }

// A Python callable held by C++: released under the GIL, since nodes may die on any thread.
std::shared_ptr<py::object> shared_callable(py::object f) {
  return {new py::object(std::move(f)), [](py::object* p) {
            py::gil_scoped_acquire gil;
            delete p;
          }};
}

TensorHook tensor_hook(py::object f) {
  return [f = shared_callable(std::move(f))](const Tensor& grad) -> Tensor {
    py::gil_scoped_acquire gil;
    py::object result = (*f)(grad);
    if (result.is_none()) return {};
    if (!is_tensor(result.ptr()))
      throw TypeError("hook has to return a Tensor or None, not ", Py_TYPE(result.ptr())->tp_name);
    Tensor t = tensor_of(result.ptr());
    if (t.shape() != grad.shape())
      throw RuntimeError("hook has changed the size of value: from ", grad.shape(), " to ", t.shape());
    return t;
  };
}

py::tuple grads_tuple(const Grads& grads) {
  py::tuple out(grads.size());
  for (size_t i = 0; i < grads.size(); ++i) out[i] = py::cast(grads[i]);
  return out;
}

// Replaces gradients by what a hook returned: None keeps them, a tensor or a tuple replaces them.
void replace(Grads& grads, const py::object& result) {
  if (result.is_none()) return;
  if (is_tensor(result.ptr())) {
    grads[0] = tensor_of(result.ptr());
    return;
  }
  size_t i = 0;
  for (py::handle item : result) {
    if (i < grads.size() && !item.is_none()) grads[i] = py::cast<Tensor>(item);
    ++i;
  }
}

// The node of a function written in Python (mlx.autograd.Function). `context` holds what forward saved.
class PythonNode : public Node {
 public:
  PythonNode(py::object context, std::string name) : context_(std::move(context)), name_(std::move(name)) {}
  ~PythonNode() override {
    py::gil_scoped_acquire gil;
    context_ = py::object();
  }
  std::string kind() const override { return name_; }
  bool materializes_grads() const override {
    py::gil_scoped_acquire gil;
    return py::cast<bool>(context_.attr("materialize_grads"));
  }

  Grads backward(const Grads& grads) override {
    py::gil_scoped_acquire gil;
    if (released_) throw_released(*this);
    py::object self = py::cast(Ref<Node>(this));  // what saved tensors are read with
    py::tuple results = py::tuple(context_.attr("_run_backward")(self, *grads_tuple(grads)));
    Grads out;
    for (py::handle r : results) out.push_back(py::cast<Tensor>(r));
    return out;
  }
  void release_saved() override {
    py::gil_scoped_acquire gil;
    if (!py::cast<bool>(context_.attr("_saves_nothing"))) {
      context_.attr("_release")();
      released_ = true;
    }
  }
  py::object context() const { return context_; }

 private:
  py::object context_;
  std::string name_;
  bool released_ = false;
};

void add_nodes(py::module_& m) {
  py::class_<Node, Ref<Node>>(m, "Node", py::dynamic_attr(), "A recorded op of the tape.")
      .def("name", &Node::name)
      .def("__repr__", [](const Node& n) { return "<" + n.name() + ">"; })
      .def("__eq__", [](const Node& a,
                        py::object b) { return py::isinstance<Node>(b) && &a == &py::cast<const Node&>(b); })
      .def("__hash__", [](const Node& n) { return reinterpret_cast<uintptr_t>(&n) >> 4; })
      .def_property_readonly("next_functions",
                             [](const Node& n) {
                               py::tuple out(n.next.size());
                               for (size_t i = 0; i < n.next.size(); ++i)
                                 out[i] = py::make_tuple(steal(wrap_node(n.next[i].node)), n.next[i].output);
                               return out;
                             })
      .def_property_readonly(
          "metadata",
          [](py::object self) {
            py::dict own = self.attr("__dict__");
            if (!own.contains("_metadata")) own["_metadata"] = py::dict();
            return own["_metadata"];
          },
          "A dict for the program's own notes, which lasts as long as this object.")
      .def_property_readonly("variable",
                             [](Node& n) {
                               auto* accumulate = dynamic_cast<AccumulateGrad*>(&n);
                               if (!accumulate)
                                 throw py::attribute_error("only AccumulateGrad nodes have a variable");
                               return accumulate->leaf();
                             })
      // The node of a Python function has the attributes that its forward set on ctx.
      .def("__getattr__",
           [](Node& n, const std::string& attribute) -> py::object {
             auto* node = dynamic_cast<PythonNode*>(&n);
             if (!node)
               throw py::attribute_error("'" + n.name() + "' object has no attribute '" + attribute + "'");
             return node->context().attr(attribute.c_str());
           })
      .def_property_readonly("context",
                             [](Node& n) -> py::object {
                               auto* node = dynamic_cast<PythonNode*>(&n);
                               return node ? node->context() : py::none();
                             })
      .def_property_readonly("_sequence", [](const Node& n) { return n.sequence(); })
      .def("_register_hook",
           [](Node& n, py::object f) {
             int64_t id = next_hook_id();
             n.extras().post_hooks.emplace_back(
                 id, [f = shared_callable(std::move(f))](Grads& results, const Grads& grads) {
                   py::gil_scoped_acquire gil;
                   replace(results, (*f)(grads_tuple(results), grads_tuple(grads)));
                 });
             return id;
           })
      .def("_register_prehook",
           [](Node& n, py::object f) {
             int64_t id = next_hook_id();
             n.extras().pre_hooks.emplace_back(id, [f = shared_callable(std::move(f))](Grads& grads) {
               py::gil_scoped_acquire gil;
               replace(grads, (*f)(grads_tuple(grads)));
             });
             return id;
           })
      .def("_remove_hook", [](Node& n, int64_t id) {
        std::erase_if(n.extras().post_hooks, [id](auto& h) { return h.first == id; });
        std::erase_if(n.extras().pre_hooks, [id](auto& h) { return h.first == id; });
      });
}

// A tensor that the context of a Python function keeps; see tape/saved_tensor.h.
void add_saved_tensors(py::module_& m) {
  py::class_<SavedTensor>(m, "_SavedTensor")
      .def(py::init([](const Tensor& t, int64_t output) {
        Keeping keeping;
        return std::make_unique<SavedTensor>(output < 0 ? save(t)
                                                        : save_output(t, static_cast<uint32_t>(output)));
      }))
      .def("get", [](const SavedTensor& saved, const Node& node) { return saved.get(node); });
}

void add_modes(py::module_& m) {
  m.def("is_grad_enabled", &GradMode::enabled);
  m.def("_set_grad_enabled", &GradMode::set);
  m.def("is_inference_mode_enabled", &GradMode::inference);
  m.def("_set_inference_mode", &GradMode::set_inference);
  m.def("is_anomaly_enabled", &GradMode::anomaly);
  m.def("is_anomaly_check_nan_enabled", &GradMode::anomaly_check_nan);
  m.def("_set_anomaly", &GradMode::set_anomaly);
  Node::capture_trace = [] {
    py::gil_scoped_acquire gil;
    py::object lines = py::module_::import("traceback").attr("format_stack")();
    return py::cast<std::string>(py::str("").attr("join")(lines));
  };
  Node::report_trace = [](const std::string& node, const std::string& trace) {
    py::gil_scoped_acquire gil;
    std::string text =
        str("Error detected in ", node, ". Traceback of forward call that caused the error:\n", trace);
    if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1)) throw_python_error();
  };
}

// Makes `outputs` results of a Python function's node. Outputs that are inputs changed in place, or
// that need no gradient, are told apart by the caller.
void set_python_history(py::object context, const std::string& name, py::handle inputs, py::handle outputs) {
  Ref<Node> node(new PythonNode(std::move(context), name));
  for (const Tensor& t : tensor_list(inputs)) node->next.push_back(gradient_edge(t));
  uint32_t number = 0;
  for (const Tensor& t : tensor_list(outputs)) {
    node->outputs.push_back(t.defined() ? OutputMeta{t.shape(), t.dtype(), t.device()} : OutputMeta{});
    if (t.defined() && t.is_inexact()) set_history(t, node, number);
    ++number;
  }
}

}  // namespace

// A subclass of Node for each kind of node, so that `type(t.grad_fn).__name__` tells the op.
PyObject* wrap_node(const Ref<Node>& node) {
  if (!node) return Py_NewRef(Py_None);
  py::object o = py::cast(node);
  if (!py::type::handle_of(o).is(py::type::of<Node>())) return o.release().ptr();
  static auto* types = new std::map<std::string, py::object>;
  py::object& type = (*types)[node->name()];
  if (!type) {
    py::dict body;
    body["__slots__"] = py::tuple();
    body["__module__"] = "mlx.autograd";
    type =
        py::type::handle_of(py::type::of<Node>())(node->name(), py::make_tuple(py::type::of<Node>()), body);
  }
  o.attr("__class__") = type;
  return o.release().ptr();
}

void add_autograd(py::module_& m) {
  add_nodes(m);
  add_saved_tensors(m);
  add_saved_tensor_hooks(m);
  add_modes(m);
  m.def("_run_backward",
        [](py::handle roots, py::handle grads, py::handle inputs, bool retain_graph, bool create_graph) {
          run_backward(tensor_list(roots), tensor_list(grads), tensor_list(inputs),
                       {retain_graph, create_graph, false});
        });
  m.def("_gradients", [](py::handle roots, py::handle grads, py::handle inputs, bool retain_graph,
                         bool create_graph, bool allow_unused) {
    return steal(wrap(gradients(tensor_list(roots), tensor_list(grads), tensor_list(inputs),
                                {retain_graph, create_graph, allow_unused})));
  });
  m.def("_register_hook",
        [](const Tensor& t, py::object f) { return add_hook(t, tensor_hook(std::move(f))); });
  m.def("_register_accumulate_hook", [](const Tensor& t, py::object f) {
    return add_accumulate_hook(t, [f = shared_callable(std::move(f))](const Tensor& leaf) {
      py::gil_scoped_acquire gil;
      (*f)(leaf);
    });
  });
  m.def("_remove_hook", &remove_hook);
  m.def("_backward_pass", &backward_pass);
  m.def("_backward_pass_reaches", &backward_pass_reaches);
  m.def("_gradient_edge", [](const Tensor& t) {
    Edge edge = gradient_edge(t);
    return py::make_tuple(steal(wrap_node(edge.node)), edge.output);
  });
  m.def("_increment_version", [](const Tensor& t) { t.changed(); });
  m.def("_set_python_history", &set_python_history);
  m.def("_alias", [](const Tensor& t) { return alias(t); });
  m.def("_as_subclass", [](const Tensor& t, py::type cls) {
    return steal(wrap_as(reinterpret_cast<PyTypeObject*>(cls.ptr()), view(t, t.shape())));
  });
  m.def(
      "_make_subclass",
      [](py::type cls, const Tensor& t, bool requires_grad) {
        Tensor own = alias(t);
        py::object out = steal(wrap_as(reinterpret_cast<PyTypeObject*>(cls.ptr()), own));
        if (requires_grad) set_requires_grad(own, true);
        return out;
      },
      py::arg("cls"), py::arg("data"), py::arg("require_grad") = false);
}

}  // namespace mlx::bindings
