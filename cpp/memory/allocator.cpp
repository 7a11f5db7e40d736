#include "memory/allocator.h"

#include <array>
#include <string>

#include "base/error.h"
#include "memory/cpu_allocator.h"

namespace mlx {
namespace {

constinit std::array<Allocator*, 3> g_allocators{};

}  // namespace

Allocator& allocator(DeviceType type) {
  if (type == DeviceType::CPU) return cpu_allocator();
  if (Allocator* found = g_allocators[static_cast<size_t>(type)]) return *found;
  std::string have = name(DeviceType::CPU);
  for (DeviceType other : {DeviceType::MPS, DeviceType::CUDA})
    if (g_allocators[static_cast<size_t>(other)]) have += str(", ", name(other));
  throw RuntimeError("device '", name(type), "' is not available here; the devices here are: ", have);
}

void register_allocator(DeviceType type, Allocator* allocator) {
  g_allocators[static_cast<size_t>(type)] = allocator;
}

}  // namespace mlx
