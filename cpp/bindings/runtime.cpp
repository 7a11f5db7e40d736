// The process's resources as Python sees them: threads, memory, devices.

#include "backends/backend.h"
#include "backends/cpu/thread_pool.h"
#include "bindings/tensor_type.h"
#include "memory/allocator.h"

namespace mlx::bindings {

void add_runtime(py::module_& m) {
  m.def("get_num_threads", &cpu::num_threads, "How many threads kernels use, the caller's included.");
  m.def("set_num_threads", &cpu::set_num_threads, py::arg("num"),
        "Use this many threads in kernels. Raises ValueError unless it is positive.");
  m.def(
      "memory_stats",
      [] {
        MemoryStats s = allocator(DeviceType::CPU).stats();
        py::dict out;
        out["allocated_bytes"] = s.allocated_bytes;
        out["cached_bytes"] = s.cached_bytes;
        out["peak_allocated_bytes"] = s.peak_allocated_bytes;
        out["allocations"] = s.allocations;
        out["cache_hits"] = s.cache_hits;
        return out;
      },
      "What the allocator holds: bytes in use by tensors, bytes cached for the next, the peak, and counts of "
      "requests.");
  m.def(
      "empty_cache", [] { allocator(DeviceType::CPU).empty_cache(); },
      "Give cached memory back to the system.");
  m.def(
      "reset_peak_memory_stats", [] { allocator(DeviceType::CPU).reset_peak(); },
      "Count the peak of memory from here on.");
  m.def(
      "synchronize", [] { backend(DeviceType::CPU).synchronize(); },
      "Wait until all launched work has finished.");
}

}  // namespace mlx::bindings
