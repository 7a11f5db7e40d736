#pragma once
// Uninitialised elements in memory of the cache, which is warm, where a vector's would be new.

#include <algorithm>

#include "tensor/tensor.h"

namespace mlx::cpu {

template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t elements) {
    if (elements) bytes_ = allocate({std::max(elements * kItem, kLeastBytes)}, DType::UInt8);
  }
  // Null without elements.
  T* data() const { return bytes_.defined() ? reinterpret_cast<T*>(bytes_.data<uint8_t>()) : nullptr; }

 private:
  static constexpr int64_t kItem = sizeof(T);
  // A smaller block would stay with the worker thread that frees it, out of reach of empty_cache().
  static constexpr int64_t kLeastBytes = 8192;

  Tensor bytes_;
};

}  // namespace mlx::cpu
