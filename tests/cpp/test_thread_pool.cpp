// The thread pool: every element once, exceptions, nesting, several callers, forks.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "backends/cpu/cores.h"
#include "backends/cpu/thread_pool.h"
#include "base/error.h"

namespace mlx::cpu {
namespace {

// Restores the number of threads.
class ThreadPool : public testing::TestWithParam<int> {
 protected:
  ~ThreadPool() override { set_num_threads(before_); }

 private:
  const int before_ = num_threads();
};

TEST_P(ThreadPool, VisitsEveryElementOnce) {
  set_num_threads(GetParam());
  for (const int64_t n : {0, 1, 63, 64, 65, 1000, 100000}) {
    for (const int64_t grain : {1, 7, 64, 100000}) {
      std::vector<int> visits(static_cast<size_t>(n) + 5, 0);
      parallel_for(5, n + 5, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      ASSERT_EQ(std::accumulate(visits.begin(), visits.begin() + 5, 0), 0);
      ASSERT_TRUE(std::all_of(visits.begin() + 5, visits.end(), [](int v) { return v == 1; }))
          << n << " elements, grain " << grain;
    }
  }
}

TEST_P(ThreadPool, StartsPiecesAtMultiplesOfTheGrain) {
  set_num_threads(GetParam());
  std::atomic<int> misplaced{0};
  parallel_for(3, 10003, 64, [&](int64_t begin, int64_t) { misplaced += (begin - 3) % 64 != 0; });
  EXPECT_EQ(misplaced, 0);
}

TEST_P(ThreadPool, RethrowsAnExceptionAndWorksAgain) {
  set_num_threads(GetParam());
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(0, 1000, 1,
                              [](int64_t begin, int64_t end) {
                                if (begin <= 500 && 500 < end) throw std::out_of_range("element 500");
                              }),
                 std::out_of_range);
    std::atomic<int64_t> sum{0};
    parallel_for(0, 1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    EXPECT_EQ(sum, 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPool, testing::Values(1, 2, 3, 8));

TEST_F(ThreadPool, UsesSeveralThreads) {
  set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  // A piece waits until another thread has begun one: this ends only if two threads take part.
  parallel_for(0, 8, 1, [&](int64_t, int64_t) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      if (seen.size() > 1 || std::chrono::steady_clock::now() > give_up) break;
    }
  });
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(ThreadPool, RunsSmallAndNestedWorkOnTheCallingThread) {
  set_num_threads(4);
  const auto here = std::this_thread::get_id();
  parallel_for(0, 10, 10, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), here);
    EXPECT_EQ(end - begin, 10);
    EXPECT_FALSE(in_parallel_region());
  });
  std::atomic<int> strangers{0};
  parallel_for(0, 100, 1, [&](int64_t, int64_t) {
    const auto outer = std::this_thread::get_id();
    strangers += !in_parallel_region();
    parallel_for(0, 100, 1, [&](int64_t, int64_t) { strangers += std::this_thread::get_id() != outer; });
  });
  EXPECT_EQ(strangers, 0);
  EXPECT_FALSE(in_parallel_region());
}

TEST_F(ThreadPool, ServesSeveralCallersAtOnce) {
  set_num_threads(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        parallel_for(0, 100, 3, [&](int64_t begin, int64_t end) { sum += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 500 * 100);
}

TEST_F(ThreadPool, WakesWorkersThatSleep) {
  set_num_threads(2);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int64_t> sum{0};
    parallel_for(0, 1000, 10, [&](int64_t begin, int64_t end) { sum += end - begin; });
    ASSERT_EQ(sum, 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_F(ThreadPool, StartsAnewInAForkedChild) {
  set_num_threads(3);
  const auto sum = [] {
    std::atomic<int64_t> total{0};
    parallel_for(0, 1000, 1, [&](int64_t begin, int64_t end) { total += end - begin; });
    return total.load();
  };
  ASSERT_EQ(sum(), 1000);
  const pid_t child = fork();
  if (child == 0) _exit(sum() == 1000 && num_threads() == 3 ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(sum(), 1000);
}

TEST_F(ThreadPool, RefusesANumberOfThreadsThatIsNotPositive) {
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-1), ValueError);
  EXPECT_GE(available_cores(), 1);
}

TEST_F(ThreadPool, RefusesToChangeItsSizeWhileItRuns) {
  set_num_threads(2);
  EXPECT_THROW(parallel_for(0, 100, 1, [](int64_t, int64_t) { set_num_threads(3); }), RuntimeError);
  EXPECT_EQ(num_threads(), 2);
}

}  // namespace
}  // namespace mlx::cpu
