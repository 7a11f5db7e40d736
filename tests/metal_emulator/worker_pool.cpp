#include "worker_pool.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

namespace metal_emulator {

// Lives as long as the process: its threads are never joined.
struct WorkerPool::Shared {
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable finished;
  std::uint64_t generation = 0;
  unsigned busy = 0;
  unsigned workers = 0;
  const pid_t owner = getpid();

  const std::function<void(std::uint64_t, std::uint64_t)>* body = nullptr;
  std::uint64_t count = 0;
  std::uint64_t piece = 1;
  std::atomic<std::uint64_t> next{0};

  void take_pieces() {
    for (;;) {
      const std::uint64_t begin = next.fetch_add(piece);
      if (begin >= count) return;
      (*body)(begin, std::min(begin + piece, count));
    }
  }

  void serve() {
    std::uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        work.wait(lock, [&] { return generation != seen; });
        seen = generation;
      }
      take_pieces();
      std::lock_guard lock(mutex);
      if (--busy == 0) finished.notify_one();
    }
  }
};

namespace {

unsigned wanted_threads() {
  if (const char* value = std::getenv("METAL_EMULATOR_THREADS")) return std::max(1, std::atoi(value));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

WorkerPool::WorkerPool() : shared_(new Shared) {
  shared_->workers = wanted_threads() - 1;
  for (unsigned i = 0; i < shared_->workers; ++i) {
    std::thread([shared = shared_] { shared->serve(); }).detach();
  }
}

WorkerPool& WorkerPool::instance() {
  static WorkerPool* const pool = new WorkerPool;
  return *pool;
}

void WorkerPool::run(std::uint64_t count, const std::function<void(std::uint64_t, std::uint64_t)>& body) {
  Shared& shared = *shared_;
  // In a process that was forked off, the threads are not there.
  if (shared.workers == 0 || shared.owner != getpid()) return body(0, count);
  {
    std::lock_guard lock(shared.mutex);
    shared.body = &body;
    shared.count = count;
    shared.piece = std::max<std::uint64_t>(1, count / (8 * (shared.workers + 1)));
    shared.next = 0;
    shared.busy = shared.workers;
    ++shared.generation;
  }
  shared.work.notify_all();
  shared.take_pieces();
  std::unique_lock lock(shared.mutex);
  shared.finished.wait(lock, [&] { return shared.busy == 0; });
}

}  // namespace metal_emulator
