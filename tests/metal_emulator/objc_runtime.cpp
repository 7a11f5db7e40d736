#include "objc_runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "memory_guard.h"
#include "metal_emulator.h"

namespace metal_emulator {
namespace {

// How many dead objects are remembered, so that a message to one of them can be named.
constexpr std::size_t kZombies = 1 << 14;

struct Tables {
  std::mutex mutex;
  std::unordered_set<std::string> selectors;
  std::map<std::string, std::unique_ptr<ObjectClass>> classes;
  std::deque<Object*> zombies;
};

// Never destroyed: static destructors of other libraries still send messages. Made on first use: static
// initialisers of other libraries (metal-cpp's tables of selectors) come first.
Tables& tables() {
  static Tables* const instance = new Tables;
  return *instance;
}

struct PoolEntry {
  Object* pool;  // the pool itself, or null for an object that waits in it
  Object* object;
};
thread_local std::vector<PoolEntry> pool_stack;

const char* selector_name(SEL selector) { return reinterpret_cast<const char*>(selector); }

bool is_class(const Object* object) { return object->type == nullptr; }

void check_alive(const Object* object, const char* message) {
  if (object->life == kAlive) return;
  if (object->life == kDead) {
    fatal("'%s' was sent to an object of class %s that has already been released to the end", message,
          object->type->name.c_str());
  }
  fatal("'%s' was sent to %p, which is no object", message, static_cast<const void*>(object));
}

void bury(Object* object) {
  object->life = kDead;
  Object* oldest = nullptr;
  {
    std::lock_guard lock(tables().mutex);
    tables().zombies.push_back(object);
    if (tables().zombies.size() > kZombies) {
      oldest = tables().zombies.front();
      tables().zombies.pop_front();
    }
  }
  ::operator delete(oldest);
}

// What every object answers.
ObjectClass& root() {
  static ObjectClass& type = []() -> ObjectClass& {
    static ObjectClass instance;
    instance.name = "NSObject";
    const auto add = [](const char* selector, auto* function) {
      instance.methods[sel_registerName(selector)] = reinterpret_cast<Method>(function);
    };
    add("retain", +[](Object* self, SEL) { return retain(self); });
    add("release", +[](Object* self, SEL) { release(self); });
    add("autorelease", +[](Object* self, SEL) { return autorelease(self); });
    add("retainCount", +[](Object* self, SEL) -> std::uint64_t { return self->references.load(); });
    add("init", +[](Object* self, SEL) { return self; });
    add("hash", +[](Object* self, SEL) { return reinterpret_cast<std::uint64_t>(self) >> 4; });
    add("isEqual:", +[](Object* self, SEL, Object* other) { return self == other; });
    add(
        "respondsToSelector:", +[](Object* self, SEL, SEL selector) {
          return self->type->methods.contains(selector) || root().methods.contains(selector);
        });
    add("methodSignatureForSelector:", +[](Object*, SEL, SEL) -> Object* { return nullptr; });
    return instance;
  }();
  return type;
}

}  // namespace

void fatal(const char* format, ...) {
  char message[2048];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "metal emulator: %s\n", message);
  std::fflush(stderr);
  std::abort();
}

ObjectClass& class_named(const char* name) {
  std::lock_guard lock(tables().mutex);
  std::unique_ptr<ObjectClass>& entry = tables().classes[name];
  if (!entry) {
    entry = std::make_unique<ObjectClass>();
    entry->life = kAlive;
    entry->references = 1;
    entry->type = nullptr;
    entry->name = name;
  }
  return *entry;
}

void register_object(Object* object, ObjectClass& type) {
  object->life = kAlive;
  object->references = 1;
  object->type = &type;
  ++type.live;
}

Object* retain(Object* object) {
  if (object == nullptr) return nullptr;
  check_alive(object, "retain");
  if (!is_class(object)) ++object->references;
  return object;
}

void release(Object* object) {
  if (object == nullptr) return;
  check_alive(object, "release");
  if (is_class(object) || --object->references > 0) return;
  --object->type->live;
  object->type->destroy(object);
  bury(object);
}

Object* autorelease(Object* object) {
  if (object == nullptr) return nullptr;
  check_alive(object, "autorelease");
  // Without a pool the object is never released: the leak report will show it, as a Mac's memory would.
  if (!pool_stack.empty()) pool_stack.push_back({nullptr, object});
  return object;
}

void push_pool(Object* pool) { pool_stack.push_back({pool, nullptr}); }

void pop_pool(Object* pool) {
  bool known = false;
  for (const PoolEntry& entry : pool_stack) known |= entry.pool == pool;
  if (!known) fatal("an autorelease pool was drained on another thread than it was made on");
  for (;;) {
    const PoolEntry entry = pool_stack.back();
    pool_stack.pop_back();
    if (entry.pool == pool) return;
    if (entry.object != nullptr) release(entry.object);
  }
}

extern "C" Method metal_emulator_find_method(Object* self, SEL selector) {
  check_alive(self, selector_name(selector));
  const auto& methods = is_class(self) ? static_cast<ObjectClass*>(self)->class_methods : self->type->methods;
  if (const auto found = methods.find(selector); found != methods.end()) return found->second;
  if (!is_class(self)) {
    if (const auto found = root().methods.find(selector); found != root().methods.end()) return found->second;
  }
  const char* name = (is_class(self) ? static_cast<ObjectClass*>(self) : self->type)->name.c_str();
  fatal("no method %c[%s %s]", is_class(self) ? '+' : '-', name, selector_name(selector));
}

}  // namespace metal_emulator

using metal_emulator::tables;

extern "C" {

SEL sel_registerName(const char* name) {
  std::lock_guard lock(tables().mutex);
  const auto entry = tables().selectors.insert(name).first;
  return reinterpret_cast<SEL>(const_cast<char*>(entry->c_str()));
}

// Any class can be looked up; one that the emulator does not have answers no message.
void* objc_lookUpClass(const char* name) { return &metal_emulator::class_named(name); }

void* objc_getProtocol(const char*) { return nullptr; }

size_t metal_emulator_live_objects(const char* class_name) {
  std::lock_guard lock(tables().mutex);
  std::size_t count = 0;
  for (const auto& [name, type] : tables().classes) {
    if (class_name == nullptr || name == class_name) count += type->live;
  }
  return count;
}

size_t metal_emulator_report_live_objects() {
  std::lock_guard lock(tables().mutex);
  std::size_t count = 0;
  for (const auto& [name, type] : tables().classes) {
    if (type->live == 0) continue;
    std::fprintf(stderr, "metal emulator: %lld live objects of class %s\n",
                 static_cast<long long>(type->live), name.c_str());
    count += type->live;
  }
  metal_emulator::report_live_buffers();
  return count;
}
}
