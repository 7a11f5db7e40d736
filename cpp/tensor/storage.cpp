#include "tensor/storage.h"

#include "base/free_list.h"
#include "memory/allocator.h"

namespace mlx {

Ref<Storage> Storage::allocate(size_t bytes, Device device) {
  void* data = bytes ? allocator(device.type).allocate(bytes) : nullptr;
  return Ref<Storage>(new (FreeList<sizeof(Storage)>::take()) Storage(data, bytes, device));
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
