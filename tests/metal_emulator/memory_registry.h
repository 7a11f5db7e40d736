// All buffers that live or have lived lately, by address.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

#include "memory_guard.h"

namespace metal_emulator {

struct MemoryRegistry {
  std::mutex mutex;
  std::map<std::uintptr_t, SharedMemory> regions;  // by the first page of the content
  std::deque<std::uintptr_t> remembered;           // released, oldest first
  std::size_t live_bytes = 0;
};
MemoryRegistry& memory_registry();

}  // namespace metal_emulator
