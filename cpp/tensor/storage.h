#pragma once
// The memory behind tensors: one block on one device, shared by a tensor and its views.

#include <functional>

#include "base/device.h"
#include "base/fast_thread_local.h"
#include "base/ref.h"

namespace mlx {

// Whether this thread is tracing: what it allocates then are symbols, storages with a size and no memory.
struct Tracing {
  static inline constinit MLX_FAST_THREAD_LOCAL bool on = false;
};

class Storage : public RefCounted {
 public:
  // A block of the device's allocator; while tracing, a symbol.
  static Ref<Storage> allocate(size_t bytes, Device device);
  // A block that the caller fills on the spot, so that it has memory while tracing too.
  static Ref<Storage> allocate_on_host(size_t bytes, Device device);
  // A storage that reads and writes what other storages own: see rebind().
  static Ref<Storage> window(size_t bytes, Device device);
  // Memory that somebody else owns; `release` runs when the last tensor is gone.
  static Ref<Storage> adopt(void* data, size_t bytes, Device device, std::function<void()> release);
  static void destroy(Storage* s);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  // What tells the storages of a trace apart; 0 for all that were not made while tracing.
  uint64_t symbol() const { return symbol_; }
  bool has_memory() const { return data_ || !bytes_; }
  // Lets a window look at other memory, of the same size.
  void rebind(void* data) { data_ = data; }

  // Counts the writes through any tensor of this storage, so that a backward pass can tell
  // that something it saved was changed.
  uint32_t version() const { return version_; }
  void bump_version() { ++version_; }

 private:
  Storage(void* data, size_t bytes, Device device) : data_(data), bytes_(bytes), device_(device) {}

  void* data_;
  size_t bytes_;
  Device device_;
  uint32_t version_ = 0;
  uint64_t symbol_ = 0;
  std::function<void()> release_;  // set only for adopted memory
  bool adopted_ = false;
};

}  // namespace mlx
