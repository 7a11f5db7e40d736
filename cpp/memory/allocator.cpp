#include "memory/allocator.h"

#include <array>
#include <mutex>
#include <string>

#include "base/error.h"
#include "memory/cpu_allocator.h"

namespace mlx {
namespace {

constinit std::array<Allocator*, 3> g_allocators{};

struct Opener {
  void (*open)() = nullptr;
  std::once_flag once;
};
Opener g_openers[3];

}  // namespace

Allocator& allocator(DeviceType type) {
  if (type == DeviceType::CPU) return cpu_allocator();
  open_device(type);
  if (Allocator* found = g_allocators[static_cast<size_t>(type)]) return *found;
  std::string have = name(DeviceType::CPU);
  for (DeviceType other : {DeviceType::MPS, DeviceType::CUDA})
    if (g_allocators[static_cast<size_t>(other)]) have += str(", ", name(other));
  throw RuntimeError("device '", name(type), "' is not available here; the devices here are: ", have);
}

void register_allocator(DeviceType type, Allocator* allocator) {
  g_allocators[static_cast<size_t>(type)] = allocator;
}

void register_opener(DeviceType type, void (*open)()) { g_openers[static_cast<size_t>(type)].open = open; }

void open_device(DeviceType type) {
  Opener& opener = g_openers[static_cast<size_t>(type)];
  if (opener.open) std::call_once(opener.once, opener.open);
}

}  // namespace mlx
