#include "memory_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "memory_registry.h"
#include "objc_runtime.h"

namespace metal_emulator {
namespace {

// Closed pages on either side: an index that is off by some rows of a matrix still lands in them.
constexpr std::size_t kGuard = 64 << 10;
// What is aligned like this is aligned for every vector the CPU has.
constexpr std::size_t kAlignment = 64;
// Released buffers whose addresses stay closed and known.
constexpr std::size_t kRemembered = 512;
// Read as float16, bfloat16 or float32 this is not a number.
constexpr unsigned char kCanary[2] = {0xd5, 0xff};

std::size_t page_size() {
  static const std::size_t size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

unsigned char* reserve(std::size_t length) {
  void* mapping = mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) fatal("no address space for %zu bytes", length);
  return static_cast<unsigned char*>(mapping);
}

void set_protection(void* address, std::size_t length, int protection) {
  if (mprotect(address, length, protection) != 0) fatal("mprotect of %zu bytes failed", length);
}

void fill_canary(unsigned char* begin, const unsigned char* end) {
  for (; begin < end; ++begin) *begin = kCanary[reinterpret_cast<std::uintptr_t>(begin) % 2];
}

bool holds_canary(const unsigned char* begin, const unsigned char* end) {
  for (; begin < end; ++begin) {
    if (*begin != kCanary[reinterpret_cast<std::uintptr_t>(begin) % 2]) return false;
  }
  return true;
}

// At the start of a buffer only the last bytes before it are watched; whoever strays further meets the closed
// page.
const unsigned char* watched_begin(const unsigned char* pages, const unsigned char* contents) {
  return std::max(pages, contents - 256);
}

}  // namespace

MemoryRegistry& memory_registry() {
  static MemoryRegistry* const instance = new MemoryRegistry;
  return *instance;
}

BufferMemory::BufferMemory(std::size_t length) : length_(length) {
  const std::size_t padded = round_up(std::max<std::size_t>(length, 1), kAlignment);
  pages_length_ = round_up(padded, page_size());
  mapping_length_ = pages_length_ + 2 * kGuard;
  mapping_ = reserve(mapping_length_);
  pages_ = mapping_ + kGuard;
  protection_ = PROT_READ | PROT_WRITE;
  set_protection(pages_, pages_length_, protection_);
  contents_ = pages_ + pages_length_ - padded;
  fill_canary(const_cast<unsigned char*>(watched_begin(pages_, contents_)), contents_);
  fill_canary(contents_ + length_, contents_ + padded);
}

// Runs when neither the buffer object nor any command holds the memory, and no quarantine remembers it.
BufferMemory::~BufferMemory() { munmap(mapping_, mapping_length_); }

SharedMemory allocate_buffer_memory(std::size_t length) {
  auto memory = std::make_shared<BufferMemory>(length);
  MemoryRegistry& registry = memory_registry();
  std::lock_guard lock(registry.mutex);
  registry.regions[reinterpret_cast<std::uintptr_t>(memory->contents()) & ~std::uintptr_t{page_size() - 1}] =
      memory;
  registry.live_bytes += length;
  return memory;
}

void BufferMemory::protect(int protection) {
  if (protection == protection_) return;
  set_protection(pages_, pages_length_, protection);
  protection_ = protection;
}

int BufferMemory::protection_while_pending() const {
  if (pending_writes_ > 0) return PROT_NONE;
  return pending_reads_ > 0 ? PROT_READ : PROT_READ | PROT_WRITE;
}

void BufferMemory::release() {
  // Under pending work the content may not be looked at, and need not be: it was checked when the work before
  // it ran.
  if (protection_ != PROT_NONE) check_surroundings(nullptr);
  void* fresh =
      mmap(pages_, pages_length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (fresh == MAP_FAILED) fatal("mmap over a released buffer failed");
  protection_ = PROT_NONE;
  is_released_ = true;
  MemoryRegistry& registry = memory_registry();
  std::lock_guard lock(registry.mutex);
  registry.live_bytes -= length_;
  registry.remembered.push_back(reinterpret_cast<std::uintptr_t>(pages_));
  if (registry.remembered.size() > kRemembered) {
    registry.regions.erase(registry.remembered.front());
    registry.remembered.pop_front();
  }
}

void BufferMemory::add_pending(const char* user, bool writes) {
  if (writes || pending_writes_ == 0) pending_user_ = user;
  ++(writes ? pending_writes_ : pending_reads_);
  close_if_pending();
}

void BufferMemory::remove_pending(bool writes) { --(writes ? pending_writes_ : pending_reads_); }

void BufferMemory::open() {
  if (!is_released_) protect(PROT_READ | PROT_WRITE);
}

void BufferMemory::close_if_pending() {
  if (!is_released_) protect(protection_while_pending());
}

void BufferMemory::check_surroundings(const char* user) const {
  const unsigned char* const end = contents_ + length_;
  const char* const side = !holds_canary(watched_begin(pages_, contents_), contents_) ? "before the start"
                           : !holds_canary(end, pages_ + pages_length_)               ? "past the end"
                                                                                      : nullptr;
  if (side == nullptr) return;
  fatal("%s%s wrote %s of buffer '%s' (%zu bytes)", user == nullptr ? "somebody" : "kernel ",
        user == nullptr ? "" : user, side, label.c_str(), length_);
}

std::size_t allocated_buffer_bytes() {
  MemoryRegistry& registry = memory_registry();
  std::lock_guard lock(registry.mutex);
  return registry.live_bytes;
}

void report_live_buffers() {
  MemoryRegistry& registry = memory_registry();
  std::lock_guard lock(registry.mutex);
  for (const auto& [address, memory] : registry.regions) {
    if (memory->is_released()) continue;
    std::fprintf(stderr, "metal emulator: live buffer '%s' of %zu bytes\n", memory->label.c_str(),
                 memory->length());
  }
}

GuardedSlots::GuardedSlots(std::size_t slots, std::size_t capacity)
    : slots_(slots), capacity_(round_up(capacity, page_size())), stride_(capacity_ + page_size()) {
  mapping_ = reserve(slots_ * stride_ + page_size());
  for (std::size_t slot = 0; slot < slots_; ++slot) {
    set_protection(mapping_ + page_size() + slot * stride_, capacity_, PROT_READ | PROT_WRITE);
  }
}

GuardedSlots::~GuardedSlots() { munmap(mapping_, slots_ * stride_ + page_size()); }

unsigned char* GuardedSlots::place(std::size_t slot, std::size_t size) const {
  return mapping_ + (slot + 1) * stride_ - round_up(size, 16);
}

bool GuardedSlots::contains(const void* address) const {
  const auto* byte = static_cast<const unsigned char*>(address);
  return byte >= mapping_ && byte < mapping_ + slots_ * stride_ + page_size();
}

}  // namespace metal_emulator
