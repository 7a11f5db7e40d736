#pragma once
// The allocator of host memory: small blocks from per-thread lists, larger ones from the shared cache.

#include "memory/allocator.h"

namespace mlx {

// Keeps at most a quarter of the memory there is. Survives fork().
Allocator& cpu_allocator();

}  // namespace mlx
