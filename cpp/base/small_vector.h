#pragma once
// A vector whose first N elements lie inside it, so that shapes and operand lists need no heap.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

namespace mlx {

template <class T, int N>
class SmallVector {
 public:
  SmallVector() = default;
  explicit SmallVector(size_t n, const T& value = T{}) { resize(n, value); }
  SmallVector(std::initializer_list<T> items) { assign(items.begin(), items.end()); }
  template <class It>
    requires requires(It it) {
      *it;
      ++it;
    }
  SmallVector(It first, It last) {
    assign(first, last);
  }
  SmallVector(std::span<const T> items) { assign(items.begin(), items.end()); }
  SmallVector(const std::vector<T>& items) { assign(items.begin(), items.end()); }
  SmallVector(const SmallVector& o) { assign(o.begin(), o.end()); }
  SmallVector(SmallVector&& o) noexcept { *this = std::move(o); }
  SmallVector& operator=(const SmallVector& o) {
    if (this != &o) assign(o.begin(), o.end());
    return *this;
  }
  SmallVector& operator=(SmallVector&& o) noexcept {
    if (this == &o) return *this;
    if (o.heap_) {
      heap_ = std::move(o.heap_);
      capacity_ = o.capacity_;
    } else {
      heap_.reset();
      capacity_ = N;
      std::move(o.begin(), o.end(), inline_);
    }
    size_ = std::exchange(o.size_, 0);
    o.capacity_ = N;
    return *this;
  }

  T* data() { return heap_ ? heap_.get() : inline_; }
  const T* data() const { return heap_ ? heap_.get() : inline_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& front() { return data()[0]; }
  const T& front() const { return data()[0]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void reserve(size_t n) {
    if (n <= capacity_) return;
    n = std::max(n, size_t{2} * capacity_);
    auto grown = std::make_unique<T[]>(n);
    std::move(begin(), end(), grown.get());
    heap_ = std::move(grown);
    capacity_ = static_cast<uint32_t>(n);
  }
  void push_back(T value) {
    reserve(size_ + 1);
    data()[size_++] = std::move(value);
  }
  void pop_back() { data()[--size_] = T{}; }
  void resize(size_t n, const T& value = T{}) {
    reserve(n);
    T* p = data();
    for (size_t i = size_; i < n; ++i) p[i] = value;
    for (size_t i = n; i < size_; ++i) p[i] = T{};
    size_ = static_cast<uint32_t>(n);
  }
  void clear() { resize(0); }
  template <class It>
  void assign(It first, It last) {
    size_t n = static_cast<size_t>(std::distance(first, last));
    if (n < size_) resize(n);
    reserve(n);
    std::copy(first, last, data());
    size_ = static_cast<uint32_t>(n);
  }
  void insert(size_t at, T value) {
    push_back(std::move(value));
    std::rotate(begin() + at, end() - 1, end());
  }
  void erase(size_t at) {
    std::move(begin() + at + 1, end(), begin() + at);
    pop_back();
  }

  operator std::span<const T>() const { return {data(), size_}; }
  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    if (a.size_ != b.size_) return false;
    const T *x = a.data(), *y = b.data();
    for (size_t i = 0; i < a.size_; ++i)  // a loop: most shapes are shorter than a call of memcmp
      if (!(x[i] == y[i])) return false;
    return true;
  }

 private:
  T inline_[N]{};
  std::unique_ptr<T[]> heap_;
  uint32_t size_ = 0;
  uint32_t capacity_ = N;
};

// Sizes, strides or dimension numbers. Six dimensions lie inline.
using Shape = SmallVector<int64_t, 6>;

// Prints as a Python tuple: (2, 3), (4,), ().
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (size_t i = 0; i < shape.size(); ++i) out << (i ? ", " : "") << shape[i];
  return out << (shape.size() == 1 ? ",)" : ")");
}

}  // namespace mlx
