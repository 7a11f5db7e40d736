#include "group_runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "objc_runtime.h"

extern "C" {
void metal_emulator_switch(void** save, void* load);
__thread metal_emulator::Thread* metal_emulator_thread __attribute__((tls_model("initial-exec"))) = nullptr;
}

namespace metal_emulator {
namespace {

constexpr std::size_t kStack = 64 << 10;
constexpr std::size_t kStackGuard = 4 << 10;
constexpr std::size_t kStackStride = kStack + kStackGuard;
// Neighbouring stacks begin at different lines of the cache; all at the same distance would fight for a few
// of them.
constexpr std::size_t kColour = 192;
constexpr std::size_t kColours = 16;

void start_fiber() { GroupRunner::active().run_fiber(); }

// A stack that looks as if a fiber had been switched away from just before start_fiber.
void* initial_stack(unsigned char* top) {
#if defined(__x86_64__)
  // Six registers, the address that `ret` takes, and the place of a return address, for the alignment that
  // functions expect at their entry.
  auto** stack = reinterpret_cast<void**>(top) - 8;
  std::memset(stack, 0, 8 * sizeof(void*));
  stack[6] = reinterpret_cast<void*>(&start_fiber);
#else
  auto** stack = reinterpret_cast<void**>(top) - 20;
  std::memset(stack, 0, 20 * sizeof(void*));
  stack[11] = reinterpret_cast<void*>(&start_fiber);
#endif
  return stack;
}

unsigned count_threads(Extent extent) { return extent.x * extent.y * extent.z; }

unsigned part(unsigned position, unsigned full, unsigned grid) {
  return std::min(full, grid - position * full);
}

}  // namespace

std::size_t GroupRunner::stacks_length() { return kMaxThreadsPerGroup * kStackStride + kStackGuard; }

GroupRunner::GroupRunner() : memory_(kThreadgroupSlots + kStaticSlots, kMaxThreadgroupMemory) {
  void* mapping = mmap(nullptr, stacks_length(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) fatal("no address space for the stacks of a threadgroup");
  stacks_ = static_cast<unsigned char*>(mapping);
  ensure_signal_stack();
  for (unsigned i = 0; i <= kMaxThreadsPerGroup; ++i)
    mprotect(stacks_ + i * kStackStride, kStackGuard, PROT_NONE);
}

GroupRunner::~GroupRunner() { munmap(stacks_, stacks_length()); }

GroupRunner& GroupRunner::here() {
  static thread_local std::unique_ptr<GroupRunner> runner;
  if (!runner) runner = std::make_unique<GroupRunner>();
  return *runner;
}

void GroupRunner::run(const Dispatch& dispatch, void* const* buffers, Extent position, bool reversed) {
  prepare_group(dispatch, buffers, position);
  if (kernel_->needs_fibers) {
    const unsigned count = count_threads(group_.threads);
    start_fibers(count);
    run_fibers(count, reversed);
  } else {
    Thread thread{};
    thread.group = &group_;
    metal_emulator_thread = &thread;
    kernel_->run_group(group_, reversed);
  }
  metal_emulator_thread = nullptr;
}

void GroupRunner::prepare_group(const Dispatch& dispatch, void* const* buffers, Extent position) {
  kernel_ = dispatch.kernel;
  const Extent full = dispatch.full_threads;
  const Extent grid = dispatch.grid;
  group_.buffers = buffers;
  group_.position = position;
  group_.threads = {part(position.x, full.x, grid.x), part(position.y, full.y, grid.y),
                    part(position.z, full.z, grid.z)};
  group_.full_threads = full;
  group_.groups = dispatch.groups;
  group_.grid = grid;
  place_memory(dispatch);
}

// Threadgroup memory holds no numbers when a group starts: what reads before it writes shall be seen.
void GroupRunner::place_memory(const Dispatch& dispatch) {
  for (const MemorySlot& slot : dispatch.threadgroup) {
    unsigned char* memory = memory_.place(slot.slot, slot.size);
    std::memset(memory, 0xff, slot.size);
    group_.threadgroup[slot.slot] = memory;
  }
  for (const MemorySlot& slot : dispatch.statics) {
    unsigned char* memory = memory_.place(kThreadgroupSlots + slot.slot, slot.size);
    std::memset(memory, 0xff, slot.size);
    group_.statics[slot.slot] = memory;
  }
}

void GroupRunner::start_fibers(unsigned count) {
  if (fibers_.size() < count) fibers_.resize(count);
  if (simdgroups_.size() * kSimdWidth < count) simdgroups_.resize((count + kSimdWidth - 1) / kSimdWidth);
  done_ = 0;
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = fibers_[i];
    unsigned char* const top = stacks_ + (i + 1) * kStackStride - i % kColours * kColour;
    fiber.stack_pointer = initial_stack(top);
    fiber.thread.group = &group_;
    fiber.thread.position = {i % group_.threads.x, i / group_.threads.x % group_.threads.y,
                             i / (group_.threads.x * group_.threads.y)};
    fiber.thread.index = i;
    fiber.thread.lane = i % kSimdWidth;
    fiber.thread.matrix_is_exposed = false;
    fiber.thread.runner = this;
    fiber.state = State::ready;
  }
  for (unsigned first = 0; first < count; first += kSimdWidth) {
    Simdgroup& simdgroup = simdgroups_[first / kSimdWidth];
    simdgroup.alive = std::min(kSimdWidth, count - first);
    simdgroup.waiting = 0;
  }
}

void GroupRunner::run_fibers(unsigned count, bool reversed) {
  while (done_ < count) {
    if (!resume_ready(count, reversed)) release_waiting(count);
  }
}

bool GroupRunner::resume_ready(unsigned count, bool reversed) {
  bool any = false;
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = fibers_[reversed ? count - 1 - i : i];
    if (fiber.state != State::ready) continue;
    any = true;
    resume(fiber);
  }
  return any;
}

void GroupRunner::resume(Fiber& fiber) {
  current_ = &fiber;
  metal_emulator_thread = &fiber.thread;
  metal_emulator_switch(&scheduler_stack_, fiber.stack_pointer);
}

// Nobody can go on by himself. Lanes that wait in a simdgroup function wait for lanes that are elsewhere, so
// those that came are the active ones. Else all are at the barrier, or have left the kernel, which they may
// not.
void GroupRunner::release_waiting(unsigned count) {
  bool any = false;
  for (unsigned first = 0; first < count; first += kSimdWidth) {
    Simdgroup& simdgroup = simdgroups_[first / kSimdWidth];
    if (simdgroup.waiting == 0) continue;
    complete(simdgroup, first / kSimdWidth);
    any = true;
  }
  if (any) return;
  if (done_ > 0) {
    fatal("kernel %s: %u of the %u threads of a group ended while the others wait at a threadgroup_barrier",
          kernel_->name, done_, count);
  }
  for (unsigned i = 0; i < count; ++i) fibers_[i].state = State::ready;
}

// The last thing that its callers do, so that a fiber goes on in its kernel at once.
void GroupRunner::suspend(State state) {
  Fiber& fiber = *current_;
  fiber.state = state;
  metal_emulator_switch(&fiber.stack_pointer, scheduler_stack_);
}

void GroupRunner::barrier() { suspend(State::at_barrier); }

void GroupRunner::exchange(const void* value, unsigned size, Combine combine, const void* operation) {
  Thread& thread = current_->thread;
  const unsigned index = thread.index / kSimdWidth;
  Simdgroup& simdgroup = simdgroups_[index];
  Lanes& lanes = simdgroup.lanes[simdgroup.turn];
  thread.lanes = &lanes;
  if (simdgroup.waiting == 0) {
    lanes.active = 0;
    simdgroup.operation = operation;
    simdgroup.combine = combine;
  } else if (simdgroup.operation != operation) {
    fatal("kernel %s: lanes of one simdgroup meet in different simdgroup functions", kernel_->name);
  }
  if (size != 0) std::memcpy(lanes.values[thread.lane], value, size);
  lanes.active |= 1u << thread.lane;
  if (++simdgroup.waiting == simdgroup.alive) {
    complete(simdgroup, index);
  } else {
    suspend(State::in_exchange);
  }
}

void GroupRunner::complete(Simdgroup& simdgroup, unsigned index) {
  Lanes& lanes = simdgroup.lanes[simdgroup.turn];
  if (simdgroup.combine != nullptr) simdgroup.combine(lanes);
  simdgroup.turn ^= 1;
  simdgroup.waiting = 0;
  for (unsigned left = lanes.active; left != 0; left &= left - 1) {
    Fiber& fiber = fibers_[index * kSimdWidth + static_cast<unsigned>(std::countr_zero(left))];
    fiber.state = State::ready;
  }
}

void GroupRunner::run_fiber() {
  Fiber& fiber = *current_;
  kernel_->run_thread(group_, fiber.thread);
  ++done_;
  const unsigned index = fiber.thread.index / kSimdWidth;
  Simdgroup& simdgroup = simdgroups_[index];
  // A lane that has left is not waited for.
  if (--simdgroup.alive > 0 && simdgroup.waiting == simdgroup.alive) complete(simdgroup, index);
  suspend(State::done);
  __builtin_unreachable();
}

}  // namespace metal_emulator

extern "C" {

void metal_emulator_threadgroup_barrier() { metal_emulator::GroupRunner::active().barrier(); }

void metal_emulator_exchange(const void* value, unsigned size, metal_emulator::Combine combine,
                             const void* operation) {
  metal_emulator::GroupRunner::active().exchange(value, size, combine, operation);
}

bool metal_emulator_is_first_lane() { return metal_emulator_thread->lane == 0; }
}
