#pragma once
// What a GPU must provide for the launch plans of this room: memory, kernels from source text, and one
// ordered queue of work. Everything here crosses the border of a shared library, so it is made of plain
// types.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "memory/system_memory.h"

namespace mlx::gpu {

// A kernel made ready to run; the runtime owns it.
struct Kernel;

// What a kernel is given: a place in the device's memory, or bytes that travel with the command.
struct Argument {
  enum Kind : uint8_t { Read, Write, ReadWrite, Bytes } kind;
  const void* pointer;
  size_t bytes = 0;  // of Bytes
};

struct Size {
  uint32_t x = 1, y = 1, z = 1;
};

struct Dispatch {
  const char* op;  // named in errors
  const Kernel* kernel;
  std::span<const Argument> arguments;
  Size groups, threads;  // of the grid, and of each group
};

class Runtime : public MemorySource {
 public:
  // The function of this name in a source text, which is compiled once. Throws RuntimeError with the
  // compiler's words.
  virtual const Kernel* kernel(std::string_view source, const char* function) = 0;

  // Puts work at the end of the queue. Memory must be such as acquire() gave, or a place within.
  virtual void run(const Dispatch& dispatch) = 0;

  // Returns when queued work that writes into the memory around `p` is done; with `reads`, also such as reads
  // it. These three throw RuntimeError, naming the op, if the device reports that work has failed.
  virtual void wait(const void* p, bool reads) = 0;
  virtual void synchronize() = 0;
  // Whether wait(p, true) would have to wait now. Reports no failures: they are the next waiter's.
  virtual bool is_busy(const void* p) = 0;
  // Says whether the host looks at the memory around `p` whenever it likes: work that uses such is waited for
  // at once.
  virtual void share_with_host(const void* p, bool shared) = 0;
};

}  // namespace mlx::gpu
