#include "backends/gpu/dims.h"

namespace mlx::gpu {

bool Dims::add(int64_t size, int64_t step) {
  if (size == 1) return true;
  if (count > 0 && steps[count - 1] == step * size && sizes[count - 1] * size <= INT32_MAX) {
    sizes[count - 1] *= static_cast<uint32_t>(size);
    steps[count - 1] = step;
    return true;
  }
  if (count == kDims || size > UINT32_MAX) return false;
  sizes[count] = static_cast<uint32_t>(size);
  steps[count++] = step;
  return true;
}

bool Dims::assign(const Shape& shape, const Shape& strides) {
  for (size_t d = 0; d < shape.size(); ++d)
    if (!add(shape[d], strides[d])) return false;
  return true;
}

}  // namespace mlx::gpu
