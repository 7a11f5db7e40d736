#pragma once
// The one owning pointer of shared objects: an intrusive reference count.

#include <atomic>
#include <cstdint>
#include <utility>

namespace mlx {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  uint32_t ref_count() const { return refs_.load(std::memory_order_relaxed); }

  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  // True when this was the last reference; the caller then destroys the object.
  bool release() const {
    // A sole owner needs no atomic decrement: nobody else can touch the count any more.
    if (refs_.load(std::memory_order_acquire) == 1) return true;
    return refs_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

 private:
  mutable std::atomic<uint32_t> refs_{0};
};

// T provides `static void destroy(T*)`, so that hot types can go back to a free list.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* p) : p_(p) {
    if (p_) p_->retain();
  }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) p_->retain();
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  Ref(const Ref<U>& o) : p_(o.get()) {
    if (p_) p_->retain();
  }
  ~Ref() { reset(); }
  Ref& operator=(const Ref& o) { return *this = Ref(o); }
  Ref& operator=(Ref&& o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }

  void reset() {
    if (T* p = std::exchange(p_, nullptr); p && p->release()) T::destroy(p);
  }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  T* p_ = nullptr;
};

}  // namespace mlx
