// Threads of the host that share the groups of a dispatch.
#pragma once

#include <cstdint>
#include <functional>

namespace metal_emulator {

class WorkerPool {
 public:
  static WorkerPool& instance();

  // Calls body(begin, end) for pieces of 0..count-1, on this thread and the others, and returns when all are
  // done. One caller at a time.
  void run(std::uint64_t count, const std::function<void(std::uint64_t, std::uint64_t)>& body);

 private:
  WorkerPool();
  struct Shared;
  Shared* shared_;
};

}  // namespace metal_emulator
