#include "execution.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "group_runner.h"
#include "objc_runtime.h"
#include "statistics.h"
#include "worker_pool.h"

namespace metal_emulator {
namespace {

// Below this many threads of a dispatch, handing it to others costs more than it saves.
constexpr std::uint64_t kWorthSharing = 4096;
constexpr std::size_t kMaxBytes = 4096;

struct Arguments {
  void* buffers[kBufferSlots];
};

// Arguments that setBytes gave lie at the ends of closed pages too.
const GuardedSlots& bytes_slots() {
  static GuardedSlots* const slots = new GuardedSlots(kBufferSlots, kMaxBytes);
  return *slots;
}

Arguments place_arguments(const Dispatch& dispatch) {
  Arguments arguments{};
  for (const auto& [parameter, binding] : dispatch.buffers) {
    if (binding.memory != nullptr) {
      arguments.buffers[parameter->index] = binding.memory->contents() + binding.offset;
    } else {
      unsigned char* const place = bytes_slots().place(parameter->index, binding.bytes.size());
      std::memcpy(place, binding.bytes.data(), binding.bytes.size());
      arguments.buffers[parameter->index] = place;
    }
  }
  return arguments;
}

void run_groups(const Dispatch& dispatch, const Arguments& arguments, std::uint64_t begin, std::uint64_t end,
                bool reversed) {
  GroupRunner& runner = GroupRunner::here();
  running = {dispatch.kernel->name, &dispatch,       &runner.threadgroup_memory(),
             &bytes_slots(),        runner.stacks(), GroupRunner::stacks_length()};
  for (std::uint64_t i = begin; i < end; ++i) {
    const Extent groups = dispatch.groups;
    const Extent position = {static_cast<unsigned>(i % groups.x),
                             static_cast<unsigned>(i / groups.x % groups.y),
                             static_cast<unsigned>(i / groups.x / groups.y)};
    runner.run(dispatch, arguments.buffers, position, reversed);
  }
  running = {};
}

std::uint64_t count_groups(const Dispatch& dispatch) {
  return std::uint64_t{dispatch.groups.x} * dispatch.groups.y * dispatch.groups.z;
}

void run_parallel(const Dispatch& dispatch, const Arguments& arguments) {
  const std::uint64_t groups = count_groups(dispatch);
  const std::uint64_t threads =
      groups * dispatch.full_threads.x * dispatch.full_threads.y * dispatch.full_threads.z;
  if (groups == 1 || threads < kWorthSharing) return run_groups(dispatch, arguments, 0, groups, false);
  WorkerPool::instance().run(groups, [&](std::uint64_t begin, std::uint64_t end) {
    run_groups(dispatch, arguments, begin, end, false);
  });
}

void check_surroundings(const Dispatch& dispatch) {
  for (const auto& [parameter, binding] : dispatch.buffers) {
    if (parameter->is_written && binding.memory != nullptr)
      binding.memory->check_surroundings(dispatch.kernel->name);
  }
}

using Contents = std::map<BufferMemory*, std::string>;

Contents written_contents(const Dispatch& dispatch) {
  Contents contents;
  for (const auto& [parameter, binding] : dispatch.buffers) {
    if (!parameter->is_written || binding.memory == nullptr) continue;
    const auto* bytes = reinterpret_cast<const char*>(binding.memory->contents());
    contents.try_emplace(binding.memory.get(), bytes, binding.memory->length());
  }
  return contents;
}

// Atomic variables are made for results that depend on order; they are left out.
void compare(const Dispatch& dispatch, const Contents& expected) {
  for (const auto& [parameter, binding] : dispatch.buffers) {
    if (!parameter->is_written || parameter->is_atomic || binding.memory == nullptr) continue;
    const std::string& before = expected.at(binding.memory.get());
    const auto* after = reinterpret_cast<const char*>(binding.memory->contents());
    const auto differs = std::mismatch(before.begin(), before.end(), after).first;
    if (differs == before.end()) continue;
    fatal(
        "kernel %s has a race: argument '%s' (buffer '%s') differs at byte %td when its threads run in "
        "another order",
        dispatch.kernel->name, parameter->name, binding.memory->label.c_str(), differs - before.begin());
  }
}

// One group after the other: forwards, then from the same start backwards.
void run_in_two_orders(const Dispatch& dispatch, const Arguments& arguments) {
  const std::uint64_t groups = count_groups(dispatch);
  const Contents start = written_contents(dispatch);
  run_groups(dispatch, arguments, 0, groups, false);
  const Contents forwards = written_contents(dispatch);
  for (const auto& [memory, content] : start) std::memcpy(memory->contents(), content.data(), content.size());
  for (std::uint64_t i = groups; i > 0; --i) run_groups(dispatch, arguments, i - 1, i, true);
  compare(dispatch, forwards);
}

bool looks_for_races() {
  static const bool enabled = [] {
    const char* value = std::getenv("METAL_EMULATOR_RACES");
    return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
  }();
  return enabled;
}

}  // namespace

void execute(const Dispatch& dispatch) {
  ++statistics.dispatches;
  const Stopwatch watch(statistics.execute_microseconds);
  const Arguments arguments = place_arguments(dispatch);
  if (looks_for_races()) {
    run_in_two_orders(dispatch, arguments);
  } else {
    run_parallel(dispatch, arguments);
  }
  check_surroundings(dispatch);
}

}  // namespace metal_emulator
