// The runtime that clang's -fblocks compiles calls to: blocks start on the stack, and a copy lives on the
// heap with a count of its own. Layouts are those of the published block ABI.
#include "blocks.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace metal_emulator {
namespace {

enum Flags : int {
  kCountMask = 0xfffe,  // the count of a heap block, times two
  kNeedsFree = 1 << 24,
  kHasCopyDispose = 1 << 25,
  kIsGlobal = 1 << 28,
};

struct Descriptor {
  unsigned long reserved;
  unsigned long size;
  void (*copy)(void* destination, const void* source);
  void (*dispose)(const void* source);
};

struct Layout {
  void* isa;
  int flags;
  int reserved;
  void (*invoke)(void*, ...);
  Descriptor* descriptor;
};

// A `__block` variable: moved to the heap by the first copy of a block that uses it.
struct ByRef {
  void* isa;
  ByRef* forwarding;
  int flags;
  unsigned size;
  void (*keep)(ByRef* destination, ByRef* source);
  void (*destroy)(ByRef*);
};

enum FieldKind : int { kFieldIsObject = 3, kFieldIsBlock = 7, kFieldIsByRef = 8 };

std::atomic_ref<int> count_of(int& flags) { return std::atomic_ref<int>(flags); }

ByRef* copy_by_ref(ByRef* source) {
  ByRef* current = source->forwarding;
  if (current->flags & kNeedsFree) {
    count_of(current->flags) += 2;
    return current;
  }
  auto* copy = static_cast<ByRef*>(std::malloc(source->size));
  std::memcpy(copy, source, source->size);
  // One count for the block that copies, one for the frame that holds the variable.
  copy->flags = (source->flags & ~kCountMask) | kNeedsFree | 4;
  copy->forwarding = copy;
  source->forwarding = copy;
  if (source->flags & kHasCopyDispose) source->keep(copy, source);
  return copy;
}

void release_by_ref(ByRef* variable) {
  variable = variable->forwarding;
  if (!(variable->flags & kNeedsFree)) return;
  if (((count_of(variable->flags) -= 2) & kCountMask) != 0) return;
  if (variable->flags & kHasCopyDispose) variable->destroy(variable);
  std::free(variable);
}

}  // namespace

void* copy_block(const void* block) {
  auto* source = static_cast<Layout*>(const_cast<void*>(block));
  if (source == nullptr || (source->flags & kIsGlobal)) return source;
  if (source->flags & kNeedsFree) {
    count_of(source->flags) += 2;
    return source;
  }
  auto* copy = static_cast<Layout*>(std::malloc(source->descriptor->size));
  std::memcpy(copy, source, source->descriptor->size);
  copy->flags = (source->flags & ~kCountMask) | kNeedsFree | 2;
  if (source->flags & kHasCopyDispose) source->descriptor->copy(copy, source);
  return copy;
}

void release_block(const void* block) {
  auto* layout = static_cast<Layout*>(const_cast<void*>(block));
  if (layout == nullptr || !(layout->flags & kNeedsFree)) return;
  if (((count_of(layout->flags) -= 2) & kCountMask) != 0) return;
  if (layout->flags & kHasCopyDispose) layout->descriptor->dispose(layout);
  std::free(layout);
}

void call_block(const void* block, void* argument) {
  const auto* layout = static_cast<const Layout*>(block);
  const auto invoke = reinterpret_cast<void (*)(const void*, void*)>(layout->invoke);
  invoke(block, argument);
}

}  // namespace metal_emulator

extern "C" {

void* _NSConcreteStackBlock[32];
void* _NSConcreteGlobalBlock[32];

void* _Block_copy(const void* block) { return metal_emulator::copy_block(block); }

void _Block_release(const void* block) { metal_emulator::release_block(block); }

void _Block_object_assign(void* destination, const void* object, int flags) {
  using namespace metal_emulator;
  auto* const field = static_cast<const void**>(destination);
  if ((flags & kFieldIsByRef) != 0) {
    *field = copy_by_ref(static_cast<ByRef*>(const_cast<void*>(object)));
  } else if ((flags & kFieldIsBlock) == kFieldIsBlock) {
    *field = copy_block(object);
  } else {
    *field = object;
  }
}

void _Block_object_dispose(const void* object, int flags) {
  using namespace metal_emulator;
  if ((flags & kFieldIsByRef) != 0) {
    release_by_ref(static_cast<ByRef*>(const_cast<void*>(object)));
  } else if ((flags & kFieldIsBlock) == kFieldIsBlock) {
    release_block(object);
  }
}
}
