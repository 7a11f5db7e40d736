// One launch of a kernel with all that it needs, checked when it is encoded.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "memory_guard.h"
#include "stdlib/metal_emulator_abi.h"

namespace metal_emulator {

inline constexpr std::size_t kMaxThreadgroupMemory = 32 << 10;
inline constexpr unsigned kMaxThreadsPerGroup = 1024;

// What stands in a buffer slot of an encoder: a buffer, or bytes that were copied, or nothing.
struct Binding {
  SharedMemory memory;
  std::size_t offset = 0;
  std::vector<unsigned char> bytes;

  bool is_empty() const { return memory == nullptr && bytes.empty(); }
  std::size_t length() const { return memory != nullptr ? memory->length() - offset : bytes.size(); }
};

struct BoundParameter {
  const Parameter* parameter;
  Binding binding;
};

struct MemorySlot {
  unsigned slot;
  std::size_t size;
};

struct Dispatch {
  const Kernel* kernel;
  std::vector<BoundParameter> buffers;
  std::vector<MemorySlot> threadgroup;
  std::vector<MemorySlot> statics;
  Extent full_threads;
  Extent groups;
  Extent grid;
};

using Bindings = std::array<Binding, kBufferSlots>;
using ThreadgroupLengths = std::array<std::size_t, kThreadgroupSlots>;

// The threadgroup variables of a kernel.
std::vector<MemorySlot> static_memory_of(const Kernel& kernel);
std::size_t total_size(const std::vector<MemorySlot>& slots);

// Stops the process if something is missing or does not fit.
Dispatch make_dispatch(const Kernel& kernel, const Bindings& bindings, const ThreadgroupLengths& lengths,
                       Extent groups, Extent full_threads, Extent grid);

// The buffers of a dispatch, for people.
std::string describe_buffers(const Dispatch& dispatch);

}  // namespace metal_emulator
