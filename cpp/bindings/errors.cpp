#include "base/index_error.h"
#include "bindings/python.h"

namespace mlx::bindings {

PyObject* linalg_error() {
  static PyObject* const type = PyErr_NewExceptionWithDoc(
      "mlx.linalg.LinAlgError",
      "A matrix for which a decomposition or a solution does not exist, or did not converge.",
      PyExc_RuntimeError, nullptr);
  return type;
}

PyObject* out_of_bounds_error() {
  static PyObject* const type = [] {
    py::tuple bases = py::make_tuple(py::handle(PyExc_IndexError), py::handle(PyExc_RuntimeError));
    return PyErr_NewExceptionWithDoc("mlx.OutOfBoundsError",
                                     "An element of an index tensor lies outside of what it indexes.",
                                     bases.ptr(), nullptr);
  }();
  return type;
}

PyObject* trace_error = nullptr;

void set_python_error() noexcept {
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const TypeError& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const ValueError& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const OutOfBoundsError& e) {
    PyErr_SetString(out_of_bounds_error(), e.what());
  } catch (const IndexError& e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const LinAlgError& e) {
    PyErr_SetString(linalg_error(), e.what());
  } catch (const NotImplementedError& e) {
    PyErr_SetString(PyExc_NotImplementedError, e.what());
  } catch (const TraceError& e) {
    PyErr_SetString(trace_error, e.what());
  } catch (const OutOfMemoryError& e) {
    PyErr_SetString(PyExc_MemoryError, e.what());
  } catch (const std::bad_alloc& e) {
    PyErr_SetString(PyExc_MemoryError, e.what());
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
}

}  // namespace mlx::bindings
