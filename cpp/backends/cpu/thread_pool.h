#pragma once
// The one pool of threads that all kernels share.

#include <cstdint>
#include <type_traits>

namespace mlx::cpu {

// How many threads parallel_for uses, the caller's included. At first the cores that this process may use
// (its affinity mask and control group's quota), or the environment's MLX_NUM_THREADS.
int num_threads();
// Throws ValueError unless n is positive, and RuntimeError inside a parallel_for's body.
void set_num_threads(int n);

// True inside a parallel_for's body.
bool in_parallel_region();

namespace detail {

// A function of a range, borrowed: no allocation, two words.
class RangeFunction {
 public:
  template <class F>
  explicit RangeFunction(F& body)
      : body_(&body), call_([](void* f, int64_t begin, int64_t end) { (*static_cast<F*>(f))(begin, end); }) {}
  void operator()(int64_t begin, int64_t end) const { call_(body_, begin, end); }

 private:
  void* body_;
  void (*call_)(void*, int64_t, int64_t);
};

void run_parallel(int64_t begin, int64_t end, int64_t grain, RangeFunction body);

}  // namespace detail

// Calls body(b, e) for pieces that cover [begin, end), on several threads at once when the range is longer
// than `grain`. Pieces start at begin plus a multiple of grain, so a grain of a multiple of 64 elements keeps
// threads off each other's cache lines. A grain should be worth 20 us or more: a sleeping worker takes that
// long to wake. Runs on the calling thread alone inside another parallel_for and while another thread's is
// running. The first exception that a piece throws is rethrown here, when all running pieces have ended.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& body) {
  if (end - begin <= grain || in_parallel_region()) {
    if (begin < end) body(begin, end);
    return;
  }
  auto& callable = const_cast<std::remove_cvref_t<F>&>(body);
  detail::run_parallel(begin, end, grain, detail::RangeFunction(callable));
}

}  // namespace mlx::cpu
