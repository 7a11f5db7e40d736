// The process's resources as Python sees them: threads, memory, devices.

#include <pybind11/stl.h>

#include "backends/backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/gpu/gpu_backend.h"
#include "bindings/args.h"
#include "bindings/tensor_type.h"
#include "memory/allocator.h"

namespace mlx::bindings {
namespace {

DeviceType device_type(const py::object& device) {
  return device.is_none() ? DeviceType::CPU : device_of(device.ptr()).type;
}

void wait_for(DeviceType type) {
  py::gil_scoped_release release;
  backend(type).synchronize();
}

// Those that are in use.
template <class F>
void for_each_device(F f) {
  f(DeviceType::CPU);
  for (DeviceType type : {DeviceType::MPS, DeviceType::CUDA})
    if (gpu::runtime_of(type)) f(type);
}

}  // namespace

void add_runtime(py::module_& m) {
  m.def("get_num_threads", &cpu::num_threads, "How many threads kernels use, the caller's included.");
  m.def("set_num_threads", &cpu::set_num_threads, py::arg("num"),
        "Use this many threads in kernels. Raises ValueError unless it is positive.");
  m.def(
      "memory_stats",
      [](py::object device) {
        MemoryStats s = allocator(device_type(device)).stats();
        py::dict out;
        out["allocated_bytes"] = s.allocated_bytes;
        out["cached_bytes"] = s.cached_bytes;
        out["peak_allocated_bytes"] = s.peak_allocated_bytes;
        out["allocations"] = s.allocations;
        out["cache_hits"] = s.cache_hits;
        return out;
      },
      py::arg("device") = py::none(),
      "What a device's allocator holds: bytes in use by tensors, bytes cached for the next, the peak, and "
      "counts "
      "of requests. Without a device, the CPU's.");
  m.def(
      "empty_cache", [] { for_each_device([](DeviceType type) { allocator(type).empty_cache(); }); },
      "Give cached memory back to the system, on every device.");
  m.def(
      "reset_peak_memory_stats", [](py::object device) { allocator(device_type(device)).reset_peak(); },
      py::arg("device") = py::none(), "Count the peak of memory from here on. Without a device, the CPU's.");
  m.def(
      "synchronize",
      [](py::object device) {
        if (!device.is_none()) return wait_for(device_type(device));
        for_each_device(wait_for);
      },
      py::arg("device") = py::none(), "Wait until all launched work has finished, on one device or on all.");
  m.def(
      "_fallbacks",
      [] {
        py::dict out;
        for (const gpu::Fallback& f : gpu::fallbacks()) out[py::str(f.name)] = f.count;
        return out;
      },
      "How often each kernel has been left to the CPU by a GPU.");
  m.def("_kernels_left_to_cpu", &gpu::kernels_left_to_cpu, "The kernels that GPUs have none of.");
}

}  // namespace mlx::bindings
