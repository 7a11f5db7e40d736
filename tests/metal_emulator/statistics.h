// Counters that metal_emulator_statistics() tells.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace metal_emulator {

struct Statistics {
  std::atomic<std::uint64_t> libraries_compiled{0};
  std::atomic<std::uint64_t> libraries_from_cache{0};
  std::atomic<std::uint64_t> compile_microseconds{0};
  std::atomic<std::uint64_t> dispatches{0};
  std::atomic<std::uint64_t> execute_microseconds{0};
};
inline Statistics statistics;

// Adds the time of its life to a counter.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::uint64_t>& total) : total_(total) {}
  ~Stopwatch() {
    const auto spent = std::chrono::steady_clock::now() - start_;
    total_ +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::atomic<std::uint64_t>& total_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace metal_emulator
