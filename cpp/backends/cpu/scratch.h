#pragma once
// Uninitialised elements in memory of the cache, which is warm, where a vector's would be new.

#include "tensor/tensor.h"

namespace mlx::cpu {

template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t elements)
      : bytes_(allocate({elements * static_cast<int64_t>(sizeof(T))}, DType::UInt8)) {}
  T* data() const { return reinterpret_cast<T*>(bytes_.data<uint8_t>()); }

 private:
  Tensor bytes_;
};

}  // namespace mlx::cpu
