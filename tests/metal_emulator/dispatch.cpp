#include "dispatch.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "objc_runtime.h"

namespace metal_emulator {
namespace {

void check_buffer(const Kernel& kernel, const Parameter& parameter, const Binding& binding) {
  if (binding.is_empty()) {
    fatal("kernel %s: argument '%s' [[buffer(%u)]] is not bound", kernel.name, parameter.name,
          parameter.index);
  }
  const std::size_t length = binding.length();
  if (binding.memory != nullptr && binding.offset % parameter.alignment != 0) {
    fatal(
        "kernel %s: argument '%s' [[buffer(%u)]] is bound at offset %zu, which is no multiple of the %u "
        "bytes its type "
        "is aligned to",
        kernel.name, parameter.name, parameter.index, binding.offset, parameter.alignment);
  }
  if (parameter.is_reference && binding.memory == nullptr && length != parameter.size) {
    fatal("kernel %s: argument '%s' [[buffer(%u)]] is of %u bytes, setBytes gave %zu", kernel.name,
          parameter.name, parameter.index, parameter.size, length);
  }
  if (parameter.is_reference && length < parameter.size) {
    fatal("kernel %s: argument '%s' [[buffer(%u)]] is of %u bytes, the buffer has %zu from its offset on",
          kernel.name, parameter.name, parameter.index, parameter.size, length);
  }
  if (!parameter.is_reference && binding.memory == nullptr && length % parameter.size != 0) {
    fatal("kernel %s: elements of argument '%s' [[buffer(%u)]] are of %u bytes, setBytes gave %zu",
          kernel.name, parameter.name, parameter.index, parameter.size, length);
  }
}

void check_sizes(const Kernel& kernel, Extent groups, Extent threads) {
  if (groups.x == 0 || groups.y == 0 || groups.z == 0 || threads.x == 0 || threads.y == 0 || threads.z == 0) {
    fatal("kernel %s is dispatched over %u x %u x %u groups of %u x %u x %u threads: none may be zero",
          kernel.name, groups.x, groups.y, groups.z, threads.x, threads.y, threads.z);
  }
  const std::uint64_t count = std::uint64_t{threads.x} * threads.y * threads.z;
  if (count > kernel.max_threads || count > kMaxThreadsPerGroup) {
    fatal("kernel %s is dispatched in groups of %llu threads, it takes %u at most", kernel.name,
          static_cast<unsigned long long>(count), std::min(kernel.max_threads, kMaxThreadsPerGroup));
  }
}

}  // namespace

std::vector<MemorySlot> static_memory_of(const Kernel& kernel) {
  std::vector<MemorySlot> result;
  for (const StaticMemory* memory = kernel.statics_begin; memory != kernel.statics_end; ++memory) {
    if (std::strcmp(memory->kernel, kernel.name) != 0) continue;
    if (memory->slot >= kStaticSlots)
      fatal("kernel %s has more than %u threadgroup variables", kernel.name, kStaticSlots);
    result.push_back({static_cast<unsigned>(memory->slot), memory->size});
  }
  return result;
}

std::size_t total_size(const std::vector<MemorySlot>& slots) {
  std::size_t total = 0;
  for (const MemorySlot& slot : slots) total += (slot.size + 15) / 16 * 16;
  return total;
}

Dispatch make_dispatch(const Kernel& kernel, const Bindings& bindings, const ThreadgroupLengths& lengths,
                       Extent groups, Extent full_threads, Extent grid) {
  check_sizes(kernel, groups, full_threads);
  Dispatch dispatch{&kernel, {}, {}, static_memory_of(kernel), full_threads, groups, grid};
  for (const Parameter& parameter : std::span(kernel.parameters, kernel.parameter_count)) {
    if (parameter.source == Source::buffer) {
      if (parameter.index >= kBufferSlots)
        fatal("kernel %s: there is no [[buffer(%u)]]", kernel.name, parameter.index);
      check_buffer(kernel, parameter, bindings[parameter.index]);
      dispatch.buffers.push_back({&parameter, bindings[parameter.index]});
    } else if (parameter.source == Source::threadgroup_memory) {
      if (parameter.index >= kThreadgroupSlots || lengths[parameter.index] == 0) {
        fatal("kernel %s: argument '%s' [[threadgroup(%u)]] has no length", kernel.name, parameter.name,
              parameter.index);
      }
      dispatch.threadgroup.push_back({parameter.index, lengths[parameter.index]});
    }
  }
  const std::size_t memory = total_size(dispatch.threadgroup) + total_size(dispatch.statics);
  if (memory > kMaxThreadgroupMemory) {
    fatal("kernel %s uses %zu bytes of threadgroup memory, there are %zu", kernel.name, memory,
          kMaxThreadgroupMemory);
  }
  return dispatch;
}

std::string describe_buffers(const Dispatch& dispatch) {
  std::string result;
  for (const auto& [parameter, binding] : dispatch.buffers) {
    result += result.empty() ? "" : ", ";
    result += std::string(parameter->name) + " [[buffer(" + std::to_string(parameter->index) + ")]] = ";
    if (binding.memory != nullptr) {
      result += "'" + binding.memory->label + "' of " + std::to_string(binding.memory->length()) + " bytes";
      if (binding.offset != 0) result += " from " + std::to_string(binding.offset);
    } else {
      result += std::to_string(binding.bytes.size()) + " bytes given";
    }
  }
  return result;
}

}  // namespace metal_emulator
