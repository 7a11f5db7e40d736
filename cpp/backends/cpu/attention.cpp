// Attention by blocks of queries, whose scores stay in the second-level cache and are never stored whole
// (Rabe and Staats, "Self-attention does not need O(n^2) memory", 2021). The gradient computes them again.

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "backends/cpu/blas.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/vector_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kQueries = 64;  // in a block

template <class T>
const SoftmaxEntry& softmax_kernels() {
  return row_kernels().softmax[std::is_same_v<T, double>];
}

// Matrix number i of a stack.
template <class T>
struct Rows {
  T* data;
  int64_t stride;

  Rows(const Tensor& t, int64_t i) : data(t.data<T>()), stride(std::max<int64_t>(t.stride(-2), t.size(-1))) {
    for (int64_t d = t.dim() - 3; d >= 0; --d) {
      data += i % t.size(d) * t.stride(d);
      i /= t.size(d);
    }
  }
  T* row(int64_t r) const { return data + r * stride; }
};

// What is added to the scores of matrix number i of a stack.
template <class T>
class Mask {
 public:
  Mask(std::span<const Tensor* const> inputs, size_t at, int64_t i) {
    if (at >= inputs.size()) return;
    rows_.emplace(*inputs[at], i);
    rows_->stride = inputs[at]->stride(-2);  // 0 where queries share a row
  }
  // Adds the mask to the scores of n keys; returns whether any can be seen.
  bool apply(int64_t query, int64_t n, T* scores) const {
    if (!rows_) return true;
    const void* operands[] = {scores, rows_->row(query)};
    constexpr ComputeType type = std::is_same_v<T, double> ? ComputeType::Float64 : ComputeType::Float32;
    vector_kernels().pointwise(Formula::add, type).kernel(operands, scores, n);
    return std::any_of(scores, scores + n, [](T s) { return s != -std::numeric_limits<T>::infinity(); });
  }

 private:
  std::optional<Rows<T>> rows_;
};

// One block of queries against the keys that any of them sees.
template <class T>
struct Block {
  int64_t first, queries, keys, all_keys;
  bool causal;
  int64_t seen(int64_t r) const { return causal ? std::min(all_keys, first + r + 1) : all_keys; }

  Block(int64_t block, int64_t length, int64_t key_length, bool is_causal)
      : first(block * kQueries),
        queries(std::min(kQueries, length - first)),
        keys(is_causal ? std::min(key_length, first + queries) : key_length),
        all_keys(key_length),
        causal(is_causal) {}

  // weights (queries, keys) = softmax(q @ k^T * scale + mask), zero where a query does not look.
  void weigh(const Rows<T>& q, const Rows<T>& k, const Mask<T>& mask, int64_t features, T scale,
             T* weights) const {
    gemm<T>(false, true, queries, keys, features, scale, q.row(first), q.stride, k.data, k.stride, T(0),
            weights, keys);
    for (int64_t r = 0; r < queries; ++r) {
      T* row = weights + r * keys;
      int64_t end = seen(r);
      if (mask.apply(first + r, end, row))
        softmax_kernels<T>().forward(row, row, end, false);
      else
        end = 0;
      std::fill(row + end, row + keys, T(0));
    }
  }
};

int64_t stack_size(const Tensor& t) { return t.numel() / (t.size(-1) * t.size(-2)); }

template <class T>
void forward(const Attention& k, const Launch& launch) {
  const Tensor &out = launch.out(), &query = launch.in(0), &key = launch.in(1), &value = launch.in(2);
  const int64_t length = query.size(-2), keys = key.size(-2), features = query.size(-1),
                width = value.size(-1), blocks = ceil_div(length, kQueries);
  parallel_for(0, stack_size(query) * blocks, 1, [&](int64_t begin, int64_t end) {
    auto weights = std::make_unique_for_overwrite<T[]>(static_cast<size_t>(kQueries * keys));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / blocks;
      const Rows<T> q(query, head), ks(key, head), v(value, head), o(out, head);
      const Block<T> block(i % blocks, length, keys, k.causal);
      block.weigh(q, ks, Mask<T>(launch.inputs, 3, head), features, static_cast<T>(k.scale), weights.get());
      gemm<T>(false, false, block.queries, width, block.keys, T(1), weights.get(), block.keys, v.data,
              v.stride, T(0), o.row(block.first), o.stride);
    }
  });
}

template <class T>
void backward(const AttentionGradient& k, const Launch& launch) {
  const Tensor &grad = launch.in(0), &query = launch.in(1), &key = launch.in(2), &value = launch.in(3);
  const int64_t length = query.size(-2), keys = key.size(-2), features = query.size(-1),
                width = value.size(-1), blocks = ceil_div(length, kQueries);
  const T scale = static_cast<T>(k.scale);
  parallel_for(0, stack_size(query), 1, [&](int64_t begin, int64_t end) {
    const auto room = static_cast<size_t>(kQueries * keys);
    auto weights = std::make_unique_for_overwrite<T[]>(room),
         slopes = std::make_unique_for_overwrite<T[]>(room);
    for (int64_t head = begin; head < end; ++head) {
      const Mask<T> mask(launch.inputs, 4, head);
      const Rows<T> g(grad, head), q(query, head), ks(key, head), v(value, head);
      const Rows<T> dq(launch.out(0), head), dk(launch.out(1), head), dv(launch.out(2), head);
      std::fill_n(dk.data, keys * features, T(0));
      std::fill_n(dv.data, keys * width, T(0));
      for (int64_t b = 0; b < blocks; ++b) {
        const Block<T> block(b, length, keys, k.causal);
        const int64_t m = block.queries, n = block.keys;
        T *p = weights.get(), *ds = slopes.get();
        block.weigh(q, ks, mask, features, scale, p);
        gemm<T>(true, false, n, width, m, T(1), p, n, g.row(block.first), g.stride, T(1), dv.data, dv.stride);
        gemm<T>(false, true, m, n, width, T(1), g.row(block.first), g.stride, v.data, v.stride, T(0), ds, n);
        for (int64_t r = 0; r < m; ++r) {
          T* row = ds + r * n;
          softmax_kernels<T>().backward(row, p + r * n, row, block.seen(r), false);
          std::fill(row + block.seen(r), row + n, T(0));
        }
        gemm<T>(false, false, m, features, n, scale, ds, n, ks.data, ks.stride, T(0), dq.row(block.first),
                dq.stride);
        gemm<T>(true, false, n, features, m, scale, ds, n, q.row(block.first), q.stride, T(1), dk.data,
                dk.stride);
      }
    }
  });
}

void attention(const Attention& k, const Launch& launch) {
  launch.out().dtype() == DType::Float64 ? forward<double>(k, launch) : forward<float>(k, launch);
}

void attention_gradient(const AttentionGradient& k, const Launch& launch) {
  launch.out().dtype() == DType::Float64 ? backward<double>(k, launch) : backward<float>(k, launch);
}

CPU_KERNEL(Attention, attention);
CPU_KERNEL(AttentionGradient, attention_gradient);

}  // namespace
}  // namespace mlx::cpu
