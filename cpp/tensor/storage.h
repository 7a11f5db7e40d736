#pragma once
// The memory behind tensors: one block on one device, shared by a tensor and its views.

#include <functional>

#include "base/device.h"
#include "base/ref.h"

namespace mlx {

class Storage : public RefCounted {
 public:
  // A block of the device's allocator.
  static Ref<Storage> allocate(size_t bytes, Device device);
  // Memory that somebody else owns; `release` runs when the last tensor is gone.
  static Ref<Storage> adopt(void* data, size_t bytes, Device device, std::function<void()> release);
  static void destroy(Storage* s);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

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
  std::function<void()> release_;  // set only for adopted memory
  bool adopted_ = false;
};

}  // namespace mlx
