#include "tensor/storage.h"

#include <atomic>

#include "base/free_list.h"
#include "memory/allocator.h"

namespace mlx {

namespace {

uint64_t next_symbol() {
  static std::atomic<uint64_t> count{0};
  return ++count;
}

}  // namespace

Ref<Storage> Storage::allocate(size_t bytes, Device device) {
  if (Tracing::on) {
    auto* s = new (FreeList<sizeof(Storage)>::take()) Storage(nullptr, bytes, device);
    s->symbol_ = next_symbol();
    return Ref<Storage>(s);
  }
  void* data = bytes ? allocator(device.type).allocate(bytes) : nullptr;
  return Ref<Storage>(new (FreeList<sizeof(Storage)>::take()) Storage(data, bytes, device));
}

Ref<Storage> Storage::allocate_on_host(size_t bytes, Device device) {
  if (!Tracing::on) return allocate(bytes, device);
  Tracing::on = false;
  Ref<Storage> s = allocate(bytes, device);
  Tracing::on = true;
  s->symbol_ = next_symbol();
  return s;
}

Ref<Storage> Storage::window(size_t bytes, Device device) {
  auto* s = new (FreeList<sizeof(Storage)>::take()) Storage(nullptr, bytes, device);
  s->adopted_ = true;
  s->release_ = [] {};
  return Ref<Storage>(s);
}

Ref<Storage> Storage::adopt(void* data, size_t bytes, Device device, std::function<void()> release) {
  auto* s = new (FreeList<sizeof(Storage)>::take()) Storage(data, bytes, device);
  s->release_ = std::move(release);
  s->adopted_ = true;
  return Ref<Storage>(s);
}

void Storage::destroy(Storage* s) {
  if (s->adopted_)
    s->release_();
  else if (s->data_)
    allocator(s->device_.type).deallocate(s->data_, s->bytes_);
  s->~Storage();
  FreeList<sizeof(Storage)>::give(s);
}

}  // namespace mlx
