// Faults of kernels, and of the CPU in the memory of buffers, told in words.
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>

#include "dispatch.h"
#include "memory_guard.h"
#include "memory_registry.h"
#include "objc_runtime.h"

namespace metal_emulator {

thread_local Running running;

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
struct sigaction previous[NSIG];

const char* access_kind(const ucontext_t* context) {
#if defined(__x86_64__)
  return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0 ? "wrote" : "read";
#else
  static_cast<void>(context);
  return "accessed";
#endif
}

}  // namespace

// A friend of BufferMemory: looks at its pages.
struct FaultReport {
  const unsigned char* address;
  const char* access;

  SharedMemory region() const {
    MemoryRegistry& registry = memory_registry();
    // The faulting thread may hold the lock itself; a report that may miss a name is better than none.
    const std::unique_lock lock(registry.mutex, std::try_to_lock);
    auto found = registry.regions.upper_bound(reinterpret_cast<std::uintptr_t>(address));
    if (found != registry.regions.end() && holds(*found->second)) return found->second;
    if (found != registry.regions.begin() && holds(*std::prev(found)->second))
      return std::prev(found)->second;
    return nullptr;
  }

  bool holds(const BufferMemory& memory) const {
    return address >= memory.mapping_ && address < memory.mapping_ + memory.mapping_length_;
  }

  static std::string bound() { return describe_buffers(*running.dispatch); }

  void tell(const BufferMemory& memory) const {
    const char* const kernel = running.kernel;
    const char* const who = kernel == nullptr ? "the CPU" : "kernel ";
    const char* const name = kernel == nullptr ? "" : kernel;
    const bool inside = address >= memory.contents_ && address < memory.contents_ + memory.length_;
    if (memory.is_released_) {
      fatal("%s%s %s buffer '%s' (%zu bytes) after it was released", who, name, access, memory.label.c_str(),
            memory.length_);
    }
    if (inside && kernel == nullptr) {
      fatal("the CPU touched buffer '%s' (%zu bytes, at byte %td) while work that uses it is pending (%s)",
            memory.label.c_str(), memory.length_, address - memory.contents_, memory.pending_user_.c_str());
    }
    if (inside) {
      fatal("kernel %s %s buffer '%s' (%zu bytes), which is not bound to it; bound are %s", kernel, access,
            memory.label.c_str(), memory.length_, bound().c_str());
    }
    const bool before = address < memory.contents_;
    fatal("%s%s %s out of bounds: %td bytes %s buffer '%s' (%zu bytes)%s%s", who, name, access,
          before ? memory.contents_ - address
                 : address - memory.contents_ - static_cast<std::ptrdiff_t>(memory.length_),
          before ? "before the start of" : "past the end of", memory.label.c_str(), memory.length_,
          kernel == nullptr ? "" : "; bound are ", kernel == nullptr ? "" : bound().c_str());
  }

  void tell_kernel() const {
    // The processor does not say which: no address with all its bits set like that can be.
    if (address == nullptr) {
      fatal("kernel %s %s an address that cannot exist (or null); bound are %s", running.kernel, access,
            bound().c_str());
    }
    if (running.threadgroup->contains(address)) {
      fatal("kernel %s %s threadgroup memory out of bounds", running.kernel, access);
    }
    if (running.bytes->contains(address)) {
      fatal("kernel %s %s out of bounds of an argument that setBytes gave it", running.kernel, access);
    }
    if (address >= running.stacks && address < running.stacks + running.stacks_length) {
      fatal("kernel %s uses more than the 64 KB of stack of a thread", running.kernel);
    }
    fatal("kernel %s %s address %p, which belongs to no buffer; bound are %s", running.kernel, access,
          static_cast<const void*>(address), bound().c_str());
  }
};

namespace {

void handle(int signal, siginfo_t* info, void* context) {
  if (signal == SIGSEGV || signal == SIGBUS) {
    const FaultReport report{static_cast<const unsigned char*>(info->si_addr),
                             access_kind(static_cast<const ucontext_t*>(context))};
    if (const SharedMemory memory = report.region()) report.tell(*memory);
    if (running.kernel != nullptr) report.tell_kernel();
  } else if (running.kernel != nullptr) {
    fatal(signal == SIGILL ? "kernel %s used an index outside of an array"
                           : "kernel %s divided an integer by zero",
          running.kernel);
  }
  // Not ours: what was there before decides, by the fault happening again under it. (If that hands the fault
  // back to us, nobody knows it.)
  static bool handed_on = false;
  if (handed_on) previous[signal].sa_handler = SIG_DFL;
  handed_on = true;
  sigaction(signal, &previous[signal], nullptr);
}

}  // namespace

void install_fault_handler() {
  for (const int signal : kSignals) {
    struct sigaction current;
    sigaction(signal, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle) continue;
    previous[signal] = current;
    struct sigaction ours;
    std::memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = handle;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(signal, &ours, nullptr);
  }
}

void ensure_signal_stack() {
  constexpr std::size_t kSize = 64 << 10;
  stack_t stack{};
  sigaltstack(nullptr, &stack);
  if ((stack.ss_flags & SS_DISABLE) == 0 && stack.ss_size >= kSize) return;
  stack = {};
  stack.ss_sp = new char[kSize];  // the thread's for as long as it lives
  stack.ss_size = kSize;
  sigaltstack(&stack, nullptr);
}

}  // namespace metal_emulator
