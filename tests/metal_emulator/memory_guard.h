// The memory of buffers: each lies on pages of its own, its end at an inaccessible page, with known bytes in
// what its alignment leaves over. Pages can be closed to the CPU while work that uses them is pending, and
// stay closed after their release. A fault is reported by name and ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace metal_emulator {

class BufferMemory {
 public:
  explicit BufferMemory(std::size_t length);
  ~BufferMemory();
  BufferMemory(const BufferMemory&) = delete;
  BufferMemory& operator=(const BufferMemory&) = delete;

  unsigned char* contents() const { return contents_; }
  std::size_t length() const { return length_; }
  bool is_released() const { return is_released_; }
  std::string label;

  // The buffer object is gone. From now on its pages belong to nobody.
  void release();

  // Pending work, each use counted: to the CPU the pages are closed while some writes them, and may only be read
  // while some reads them.
  void add_pending(const char* user, bool writes);
  void remove_pending(bool writes);
  // Work runs: the pages are open although some of it may still be pending.
  void open();
  void close_if_pending();

  // Stops the process if a byte beside the buffer has changed.
  void check_surroundings(const char* user) const;

 private:
  friend struct FaultReport;
  void protect(int protection);

  unsigned char* mapping_;
  std::size_t mapping_length_;
  unsigned char* pages_;
  std::size_t pages_length_;
  unsigned char* contents_;
  std::size_t length_;
  int protection_while_pending() const;

  std::size_t pending_reads_ = 0;
  std::size_t pending_writes_ = 0;
  std::string pending_user_;
  bool is_released_ = false;
  int protection_;
};

using SharedMemory = std::shared_ptr<BufferMemory>;
SharedMemory allocate_buffer_memory(std::size_t length);

std::size_t allocated_buffer_bytes();
void report_live_buffers();

// Slots of memory of a fixed capacity, each ending at an inaccessible page.
class GuardedSlots {
 public:
  GuardedSlots(std::size_t slots, std::size_t capacity);
  ~GuardedSlots();
  GuardedSlots(const GuardedSlots&) = delete;
  GuardedSlots& operator=(const GuardedSlots&) = delete;

  // `size` bytes that end, up to alignment, where the slot does.
  unsigned char* place(std::size_t slot, std::size_t size) const;
  bool contains(const void* address) const;

 private:
  unsigned char* mapping_;
  std::size_t slots_;
  std::size_t capacity_;
  std::size_t stride_;
};

// What the calling thread runs, for reports of faults; null for the CPU's own code.
struct Running {
  const char* kernel = nullptr;
  const struct Dispatch* dispatch = nullptr;
  const GuardedSlots* threadgroup = nullptr;
  const GuardedSlots* bytes = nullptr;
  const unsigned char* stacks = nullptr;
  std::size_t stacks_length = 0;
};
extern thread_local Running running;

// Puts the handler for faults in place, again if somebody has replaced it since.
void install_fault_handler();

// A fault of a kernel that has used up its stack must have another one to report on. For the calling thread.
void ensure_signal_stack();

}  // namespace metal_emulator
