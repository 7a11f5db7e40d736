// What a compiled kernel and the emulator tell each other. Both sides include this; it includes nothing,
// since the world of a kernel has no other headers.
#pragma once
#pragma clang system_header

namespace metal_emulator {

inline constexpr unsigned kSimdWidth = 32;
inline constexpr unsigned kBufferSlots = 31;
inline constexpr unsigned kThreadgroupSlots = 31;
inline constexpr unsigned kStaticSlots = 32;

struct Extent {
  unsigned x, y, z;
};

// How a parameter of a kernel gets its value.
enum class Source : unsigned {
  buffer,
  threadgroup_memory,
  thread_position_in_grid,
  thread_position_in_threadgroup,
  thread_index_in_threadgroup,
  threadgroup_position_in_grid,
  threads_per_threadgroup,
  dispatch_threads_per_threadgroup,
  threadgroups_per_grid,
  threads_per_grid,
  thread_index_in_simdgroup,
  simdgroup_index_in_threadgroup,
  simdgroups_per_threadgroup,
  threads_per_simdgroup,
};

struct Parameter {
  Source source;
  unsigned index;      // of the buffer or threadgroup memory
  unsigned size;       // of one element
  unsigned alignment;  // of one element
  bool is_reference;   // exactly one element
  bool is_written;     // not const
  bool is_atomic;
  const char* name;
};

// One threadgroup while it runs.
struct Group {
  void* const* buffers;  // by index
  void* threadgroup[kThreadgroupSlots];
  void* statics[kStaticSlots];
  Extent position;  // of the group in the grid
  Extent threads;   // of this group; less than `full_threads` at the far edges of a grid
  Extent full_threads;
  Extent groups;
  Extent grid;
};

// What the lanes of a simdgroup hand to one another in one operation.
struct Lanes {
  unsigned active;  // a bit for each lane that takes part
  unsigned padding[15];
  alignas(64) unsigned char values[kSimdWidth][32];
};
// One thread of a group that runs as fibers.
struct Thread {
  Group* group;
  Extent position;         // in the group
  unsigned index;          // in the group
  unsigned lane;           // in the simdgroup
  bool matrix_is_exposed;  // somebody holds thread_elements() of a simdgroup_matrix
  Lanes* lanes;            // of its last exchange
  void* runner;            // the emulator's
};

// Left in the section `metal_threadgroup` by each `threadgroup` variable of a kernel.
struct StaticMemory {
  const char* kernel;
  unsigned long slot;
  unsigned long size;
};

struct Kernel {
  const char* name;
  unsigned parameter_count;
  const Parameter* parameters;
  unsigned max_threads;  // [[max_total_threads_per_threadgroup]], or 1024
  bool needs_fibers;
  const StaticMemory* statics_begin;  // of all kernels of the library
  const StaticMemory* statics_end;
  void (*run_thread)(const Group& group, const Thread& thread);
  // All threads of a group, one after the other; from the last to the first if `reversed`.
  void (*run_group)(const Group& group, bool reversed);
};

using Combine = void (*)(Lanes&);

}  // namespace metal_emulator

extern "C" {
// The thread that runs on this thread of the host.
extern __thread metal_emulator::Thread* metal_emulator_thread __attribute__((tls_model("initial-exec")));
void metal_emulator_threadgroup_barrier();
// Waits until all lanes of the simdgroup have come with their values, which then lie in the thread's `lanes`.
// `combine` has run once over them, if given. `operation` is the same for lanes that belong together.
void metal_emulator_exchange(const void* value, unsigned size, metal_emulator::Combine combine,
                             const void* operation);
// Whether this thread is the first lane of its simdgroup. It stays so, hence `const`: asked once in a kernel.
bool metal_emulator_is_first_lane() __attribute__((const));
}

namespace metal_emulator {

inline __attribute__((always_inline)) Lanes& exchange(const void* value, unsigned size, Combine combine,
                                                      const void* operation) {
  metal_emulator_exchange(value, size, combine, operation);
  return *metal_emulator_thread->lanes;
}

}  // namespace metal_emulator
