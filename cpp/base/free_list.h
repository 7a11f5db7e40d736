#pragma once
// Recycles the memory of small, short-lived objects (tensors, storages, nodes): one list a
// thread and size, so that taking and giving need no lock.

#include <cstddef>
#include <new>

#include "base/fast_thread_local.h"

namespace mlx {

template <size_t Bytes>
class FreeList {
 public:
  static void* take() {
    FreeList& list = local();
    if (!list.head_) return ::operator new(Bytes);
    --list.count_;
    Link* link = list.head_;
    list.head_ = link->next;
    return link;
  }
  static void give(void* p) noexcept {
    FreeList& list = local();
    if (list.count_ == kLimit || list.closed_) return ::operator delete(p);
    ++list.count_;
    list.head_ = new (p) Link{list.head_};
  }

 private:
  struct Link {
    Link* next;
  };
  static constexpr size_t kLimit = 4096;

  static FreeList& local() {
    if (!at_) [[unlikely]] {
      thread_local FreeList list;
      at_ = &list;
    }
    return *at_;
  }
  // Objects may still die after this thread's list has (statics, at exit): they then go straight back.
  ~FreeList() {
    closed_ = true;
    while (head_) {
      Link* link = head_;
      head_ = link->next;
      ::operator delete(link);
    }
  }

  static inline constinit MLX_FAST_THREAD_LOCAL FreeList* at_ = nullptr;
  Link* head_ = nullptr;
  size_t count_ = 0;
  bool closed_ = false;
};

}  // namespace mlx
