// Atomic functions. As in Metal 3.1 every order is relaxed, and float knows addition and exchange, not min
// and max.
#pragma once
#pragma clang system_header

#include "types.h"

namespace metal {

enum memory_order { memory_order_relaxed = 0 };

template <class T>
struct atomic {
  T value;
};

// Keeps an argument out of deduction, so that a literal converts to the type of the object.
template <class T>
struct Same {
  using type = T;
};
template <class T>
using SameType = typename Same<T>::type;

template <class T>
METAL_FUNCTION T atomic_load_explicit(const volatile atomic<T>* object, memory_order) {
  T result;
  __atomic_load(&object->value, &result, __ATOMIC_RELAXED);
  return result;
}
template <class T>
METAL_FUNCTION void atomic_store_explicit(volatile atomic<T>* object, SameType<T> desired, memory_order) {
  __atomic_store(&object->value, &desired, __ATOMIC_RELAXED);
}
template <class T>
METAL_FUNCTION T atomic_exchange_explicit(volatile atomic<T>* object, SameType<T> desired, memory_order) {
  T result;
  __atomic_exchange(&object->value, &desired, &result, __ATOMIC_RELAXED);
  return result;
}
template <class T>
METAL_FUNCTION bool atomic_compare_exchange_weak_explicit(volatile atomic<T>* object, SameType<T>* expected,
                                                          SameType<T> desired, memory_order, memory_order) {
  return __atomic_compare_exchange(&object->value, expected, &desired, true, __ATOMIC_RELAXED,
                                   __ATOMIC_RELAXED);
}

// By comparison and exchange, which serves float too. Returns the old value.
template <class T, class Function>
METAL_FUNCTION T atomic_change(volatile atomic<T>* object, Function function) {
  T old = atomic_load_explicit(object, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(object, &old, function(old), memory_order_relaxed,
                                                memory_order_relaxed)) {
  }
  return old;
}

template <class T>
METAL_FUNCTION T atomic_fetch_add_explicit(volatile atomic<T>* object, SameType<T> operand, memory_order) {
  return atomic_change(object, [operand](T old) { return static_cast<T>(old + operand); });
}
template <class T>
METAL_FUNCTION T atomic_fetch_sub_explicit(volatile atomic<T>* object, SameType<T> operand, memory_order) {
  return atomic_change(object, [operand](T old) { return static_cast<T>(old - operand); });
}

#define METAL_ATOMIC(name, expression)                                                             \
  template <class T>                                                                               \
    requires(__is_integral(T))                                                                     \
  METAL_FUNCTION T atomic_fetch_##name##_explicit(volatile atomic<T>* object, SameType<T> operand, \
                                                  memory_order) {                                  \
    return atomic_change(object, [operand](T old) { return static_cast<T>(expression); });         \
  }
METAL_ATOMIC(min, operand < old ? operand : old)
METAL_ATOMIC(max, old < operand ? operand : old)
METAL_ATOMIC(and, old& operand)
METAL_ATOMIC(or, old | operand)
METAL_ATOMIC(xor, old ^ operand)
#undef METAL_ATOMIC

}  // namespace metal

using atomic_int = metal::atomic<int>;
using atomic_uint = metal::atomic<uint>;
using atomic_ulong = metal::atomic<ulong>;
using atomic_bool = metal::atomic<bool>;
using atomic_float = metal::atomic<float>;

namespace metal {
using ::atomic_bool;
using ::atomic_float;
using ::atomic_int;
using ::atomic_uint;
using ::atomic_ulong;
}  // namespace metal
