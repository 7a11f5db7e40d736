// The Objective-C runtime as far as metal-cpp needs it: classes with a table of methods, objects with a
// retain count, autorelease pools. An object stays readable after its death (as a zombie), so that a message
// to it can be named.
#pragma once

#include <objc/runtime.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace metal_emulator {

struct ObjectClass;

// Every object begins with this. Classes are objects too: they answer `alloc` and other class methods.
struct Object {
  std::uint32_t life;  // kAlive, kDead, or anything else for a pointer that is no object
  std::atomic<std::int32_t> references;
  ObjectClass* type;
};

inline constexpr std::uint32_t kAlive = 0x4d4c586fu;
inline constexpr std::uint32_t kDead = 0x64656164u;

using Method = void (*)();

struct ObjectClass : Object {
  std::string name;
  std::unordered_map<SEL, Method> methods;
  std::unordered_map<SEL, Method> class_methods;
  void (*destroy)(Object*) = nullptr;
  std::atomic<std::int64_t> live{0};
};

// The class of that name; made when first asked for.
ObjectClass& class_named(const char* name);

Object* retain(Object* object);
void release(Object* object);
Object* autorelease(Object* object);
// The pool of the calling thread that is opened last until it is popped; what was autoreleased since is
// released.
void push_pool(Object* pool);
void pop_pool(Object* pool);

// Stops the process with `metal emulator: ` and the message.
[[noreturn]] void fatal(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Bookkeeping for `make`.
void register_object(Object* object, ObjectClass& type);

// A new object with a retain count of one. T is a struct whose first base is Object, with `kClassName`.
template <class T, class... Arguments>
T* make(Arguments&&... arguments) {
  T* object = new T{{}, std::forward<Arguments>(arguments)...};
  static ObjectClass& type = class_named(T::kClassName);
  register_object(object, type);
  return object;
}

template <class T>
T* retained(T* object) {
  return static_cast<T*>(retain(object));
}

// An owning pointer to an object, for members.
template <class T>
class Owned {
 public:
  Owned() = default;
  explicit Owned(T* object) : object_(retained(object)) {}
  Owned(const Owned& other) : Owned(other.object_) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { release(object_); }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

// Fills in a class: `ClassBuilder<Buffer>().method<"length">(...)`. A method is a captureless lambda that
// takes the object by reference and then the message's arguments.
template <class T>
class ClassBuilder {
 public:
  ClassBuilder() : class_(class_named(T::kClassName)) {
    class_.destroy = [](Object* object) { static_cast<T*>(object)->~T(); };
  }

  template <class Function>
  ClassBuilder& method(const char* selector, Function) {
    class_.methods[sel_registerName(selector)] = implementation<Function>(&Function::operator());
    return *this;
  }

  template <class Function>
  ClassBuilder& class_method(const char* selector, Function) {
    class_.class_methods[sel_registerName(selector)] = class_implementation<Function>(&Function::operator());
    return *this;
  }

 private:
  template <class Function, class Result, class... Arguments>
  static Method implementation(Result (Function::*)(T&, Arguments...) const) {
    Result (*function)(Object*, SEL, Arguments...) = [](Object* self, SEL, Arguments... arguments) -> Result {
      return Function{}(*static_cast<T*>(self), arguments...);
    };
    return reinterpret_cast<Method>(function);
  }

  template <class Function, class Result, class... Arguments>
  static Method class_implementation(Result (Function::*)(Arguments...) const) {
    Result (*function)(Object*, SEL, Arguments...) = [](Object*, SEL, Arguments... arguments) -> Result {
      return Function{}(arguments...);
    };
    return reinterpret_cast<Method>(function);
  }

  ObjectClass& class_;
};

}  // namespace metal_emulator
