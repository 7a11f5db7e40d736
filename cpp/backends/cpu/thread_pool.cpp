#include "backends/cpu/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backends/cpu/cores.h"
#include "base/error.h"
#include "base/fast_thread_local.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

// More pieces than threads, so that a thread which the system holds back is left behind by the others.
constexpr int64_t kPiecesPerThread = 4;
// A worker looks out for the next job this long before it sleeps: kernels come in quick succession, and
// waking a thread takes longer than many of them. It yields meanwhile, so other processes are not kept
// waiting.
constexpr auto kSpinTime = std::chrono::microseconds(50);
constexpr int kPausesPerYield = 64;

constinit MLX_FAST_THREAD_LOCAL bool t_in_parallel_region = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `value` is no longer `old`: spins first, then sleeps.
template <class T>
void wait_for_change(const std::atomic<T>& value, T old) {
  const auto give_up = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerYield; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < give_up);
  value.wait(old, std::memory_order_acquire);
}

class Pool {
 public:
  explicit Pool(int threads)
      : taken_(std::make_unique<std::atomic<bool>[]>(static_cast<size_t>(threads * kPiecesPerThread))) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  ~Pool() {
    stop_ = true;
    announce();
    for (std::thread& worker : workers_) worker.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // One job at a time; the caller holds the launch mutex.
  void run(int64_t begin, int64_t end, int64_t grain, detail::RangeFunction body) {
    const auto threads = static_cast<int64_t>(workers_.size()) + 1;
    const int64_t grains = ceil_div(end - begin, grain);
    const int64_t pieces = std::min(grains, threads * kPiecesPerThread);
    body_ = &body;
    begin_ = begin;
    end_ = end;
    step_ = ceil_div(grains, pieces) * grain;
    pieces_ = ceil_div(end - begin, step_);
    for (int64_t i = 0; i < pieces_; ++i) taken_[i].store(false, std::memory_order_relaxed);
    open_.store(true);
    announce();
    take_pieces(0);
    // Whoever enters from here on finds the job closed; those inside are waited for. Both sides use the
    // sequentially consistent order: either the worker sees the closing or this thread sees the worker.
    open_.store(false);
    for (int inside = inside_.load(); inside; inside = inside_.load()) wait_for_change(inside_, inside);
    failed_.store(false, std::memory_order_relaxed);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void announce() {
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
  }

  void work(int64_t thread) {
    t_in_parallel_region = true;
    uint32_t seen = 0;
    for (;;) {
      wait_for_change(epoch_, seen);
      seen = epoch_.load(std::memory_order_acquire);
      if (stop_) return;
      inside_.fetch_add(1);
      if (open_.load()) take_pieces(thread);
      if (inside_.fetch_sub(1) == 1) inside_.notify_one();
    }
  }

  // A thread begins with its own share, which is the same part of the range in every job, so that it finds in
  // its cache what it wrote in the job before; then it helps the others.
  void take_pieces(int64_t thread) {
    t_in_parallel_region = true;
    const int64_t first = pieces_ * thread / (static_cast<int64_t>(workers_.size()) + 1);
    for (int64_t i = 0; i < pieces_; ++i) {
      const int64_t piece = first + i < pieces_ ? first + i : first + i - pieces_;
      if (taken_[piece].load(std::memory_order_relaxed) || taken_[piece].exchange(true)) continue;
      run_piece(begin_ + piece * step_);
    }
  }

  void run_piece(int64_t begin) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      (*body_)(begin, std::min(begin + step_, end_));
    } catch (...) {
      failed_.store(true, std::memory_order_relaxed);  // no more pieces
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  const detail::RangeFunction* body_ = nullptr;
  int64_t begin_ = 0, end_ = 0, step_ = 0, pieces_ = 0;
  std::unique_ptr<std::atomic<bool>[]> taken_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> open_{false};
  std::atomic<bool> failed_{false};
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<int> inside_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

int initial_threads() {
  const char* text = std::getenv("MLX_NUM_THREADS");
  if (!text || !*text) return available_cores();
  char* rest = nullptr;
  const long n = std::strtol(text, &rest, 10);
  if (*rest || n < 1 || n > 4096) {
    throw ValueError("MLX_NUM_THREADS is '", text, "'; expected a number of threads from 1 to 4096");
  }
  return static_cast<int>(n);
}

// What outlives a fork: the pool itself does not, since the child has none of its threads.
struct Launcher {
  std::atomic<int> threads{initial_threads()};
  std::mutex mutex;  // held while a job runs
  std::unique_ptr<Pool> pool;

  Pool& started() {
    if (!pool) pool = std::make_unique<Pool>(threads.load(std::memory_order_relaxed));
    return *pool;
  }
};

std::atomic<Launcher*> g_launcher{nullptr};

Launcher& launcher() {
  // Never destroyed, like the pool in it: kernels may run while the process exits, and joining threads from a
  // static's destructor can hang.
  static const bool made = [] {
    g_launcher = std::make_unique<Launcher>().release();
    pthread_atfork(nullptr, nullptr, [] {
      // The old one is left as it is: its mutex may be locked, and its threads cannot be joined.
      auto fresh = std::make_unique<Launcher>();
      fresh->threads = g_launcher.load()->threads.load();
      g_launcher = fresh.release();
    });
    return true;
  }();
  static_cast<void>(made);
  return *g_launcher.load(std::memory_order_acquire);
}

}  // namespace

int num_threads() { return launcher().threads.load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  if (n < 1) throw ValueError("set_num_threads(): expected a positive number of threads, got ", n);
  if (in_parallel_region()) throw RuntimeError("set_num_threads(): called while a parallel_for is running");
  Launcher& l = launcher();
  const std::lock_guard lock(l.mutex);
  if (n == l.threads) return;
  l.threads = n;
  l.pool.reset();
}

bool in_parallel_region() { return t_in_parallel_region; }

namespace detail {

void run_parallel(int64_t begin, int64_t end, int64_t grain, RangeFunction body) {
  grain = std::max<int64_t>(grain, 1);
  Launcher& l = launcher();
  std::unique_lock lock(l.mutex, std::try_to_lock);
  if (!lock || l.threads == 1 || end - begin <= grain) return body(begin, end);
  struct Region {
    ~Region() { t_in_parallel_region = false; }
  } region;
  l.started().run(begin, end, grain, body);
}

}  // namespace detail
}  // namespace mlx::cpu
