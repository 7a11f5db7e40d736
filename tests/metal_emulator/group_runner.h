// Runs threadgroups on one thread of the host. Threads that meet (at barriers, in simdgroup functions) are
// fibers: each runs until it has to wait, then the next one in order.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "memory_guard.h"
#include "stdlib/metal_emulator_abi.h"

namespace metal_emulator {

class GroupRunner {
 public:
  GroupRunner();
  ~GroupRunner();
  GroupRunner(const GroupRunner&) = delete;
  GroupRunner& operator=(const GroupRunner&) = delete;

  // The one of the calling thread, made when first asked for.
  static GroupRunner& here();
  // The one that runs the current fiber.
  static GroupRunner& active() { return *static_cast<GroupRunner*>(metal_emulator_thread->runner); }

  void run(const Dispatch& dispatch, void* const* buffers, Extent position, bool reversed);

  // What fibers call, by way of the functions that metal_emulator_abi.h declares.
  void barrier();
  void exchange(const void* value, unsigned size, Combine combine, const void* operation);
  [[noreturn]] void run_fiber();

  const GuardedSlots& threadgroup_memory() const { return memory_; }
  const unsigned char* stacks() const { return stacks_; }
  static std::size_t stacks_length();

 private:
  enum class State : unsigned char { ready, at_barrier, in_exchange, done };
  struct Fiber {
    void* stack_pointer;
    Thread thread;
    State state;
  };
  // A simdgroup. Two sets of lanes take turns: while some lanes still read one, others may already fill the
  // other.
  struct Simdgroup {
    unsigned alive = 0;
    unsigned waiting = 0;
    unsigned turn = 0;
    Combine combine = nullptr;
    const void* operation = nullptr;
    std::array<Lanes, 2> lanes;
  };

  void prepare_group(const Dispatch& dispatch, void* const* buffers, Extent position);
  void place_memory(const Dispatch& dispatch);
  void start_fibers(unsigned count);
  void run_fibers(unsigned count, bool reversed);
  bool resume_ready(unsigned count, bool reversed);
  void resume(Fiber& fiber);
  void release_waiting(unsigned count);
  void suspend(State state);
  void complete(Simdgroup& simdgroup, unsigned index);

  GuardedSlots memory_;
  unsigned char* stacks_;
  Group group_{};
  const Kernel* kernel_ = nullptr;
  std::vector<Fiber> fibers_;
  std::vector<Simdgroup> simdgroups_;
  Fiber* current_ = nullptr;
  void* scheduler_stack_ = nullptr;
  unsigned done_ = 0;
};

}  // namespace metal_emulator
