// Command queues and command buffers. What is committed waits until somebody asks for its completion; then
// everything committed before runs, in order. Meanwhile the buffers it uses are closed to the CPU.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>

#include "blocks.h"
#include "execution.h"
#include "metal_classes.h"
#include "metal_emulator.h"

namespace metal_emulator {
namespace {

using MemorySet = std::set<BufferMemory*>;

// The memory that commands use, each use with the name of what uses it and whether it writes.
template <class Visit>
void visit_memory(const CommandBuffer& commands, Visit visit) {
  for (const Command& command : commands.commands) {
    if (const auto* dispatch = std::get_if<Dispatch>(&command)) {
      for (const auto& [parameter, binding] : dispatch->buffers) {
        if (binding.memory != nullptr) visit(*binding.memory, dispatch->kernel->name, parameter->is_written);
      }
    } else if (const auto* copy = std::get_if<Copy>(&command)) {
      visit(*copy->source, "a copy", false);
      visit(*copy->target, "a copy", true);
    } else {
      visit(*std::get<Fill>(command).target, "a fill", true);
    }
  }
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run_command(const Command& command) {
  if (const auto* dispatch = std::get_if<Dispatch>(&command)) {
    execute(*dispatch);
  } else if (const auto* copy = std::get_if<Copy>(&command)) {
    std::memcpy(copy->target->contents() + copy->target_offset,
                copy->source->contents() + copy->source_offset, copy->size);
  } else {
    const auto& fill = std::get<Fill>(command);
    std::memset(fill.target->contents() + fill.offset, fill.value, fill.size);
  }
}

// All queues of the device: their command buffers run in order of commit.
class Submissions {
 public:
  static Submissions& instance() {
    static Submissions* const submissions = new Submissions;
    return *submissions;
  }

  void fail_next(std::string description) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(description);
  }

  void commit(CommandBuffer& commands) {
    install_fault_handler();
    std::lock_guard lock(mutex_);
    if (commands.is_encoding) fatal("a command buffer was committed while an encoder is open");
    if (commands.status >= Status::committed) fatal("a command buffer was committed twice");
    visit_memory(commands,
                 [](BufferMemory& memory, const char* user, bool writes) { memory.add_pending(user, writes); });
    commands.status = Status::committed;
    pending_.push_back(Owned<CommandBuffer>(&commands));
  }

  void run_until(CommandBuffer& last) {
    if (last.status < Status::committed)
      fatal("waitUntilCompleted on a command buffer that was not committed");
    install_fault_handler();
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    while (count < pending_.size() && pending_[count].get() != &last) ++count;
    if (count < pending_.size()) run_first(count + 1);
  }

  // A queue gives out no more than so many command buffers at a time: the oldest must end first.
  void make_room(const CommandQueue& queue) {
    std::lock_guard lock(mutex_);
    std::size_t waiting = 0;
    for (const auto& commands : pending_) waiting += commands->queue.get() == &queue;
    if (waiting >= queue.capacity) run_first(1);
  }

 private:
  Submissions() {
    if (const char* description = std::getenv("METAL_EMULATOR_FAIL")) failure_ = description;
  }

  // The memory of all of them is opened at once, and closed again where later work is pending.
  void run_first(std::size_t count) {
    MemorySet used;
    for (std::size_t i = 0; i < count; ++i) open_memory(*pending_[i], used);
    for (std::size_t i = 0; i < count; ++i) {
      const Owned<CommandBuffer> commands = std::move(pending_.front());
      pending_.pop_front();
      run(*commands);
    }
    for (BufferMemory* memory : used) memory->close_if_pending();
    for (const auto& memory : std::exchange(held_, {})) static_cast<void>(memory);
    call_handlers();
  }

  void open_memory(const CommandBuffer& commands, MemorySet& used) {
    visit_memory(commands, [&](BufferMemory& memory, const char* user, bool writes) {
      if (memory.is_released()) {
        fatal("kernel %s uses buffer '%s' (%zu bytes), which was released before the kernel ran", user,
              memory.label.c_str(), memory.length());
      }
      memory.remove_pending(writes);
      if (used.insert(&memory).second) memory.open();
    });
  }

  void run(CommandBuffer& commands) {
    commands.start_time = now();
    if (!failure_.empty()) {
      commands.error = Owned<Error>(error("MTLCommandBufferErrorDomain", 1, std::exchange(failure_, {})));
    } else {
      for (const Command& command : commands.commands) run_command(command);
    }
    commands.end_time = now();
    commands.status = commands.error ? Status::error : Status::completed;
    done_.push_back(Owned<CommandBuffer>(&commands));
    // Their memory is still to be closed again; it must live until then.
    held_.insert(held_.end(), std::make_move_iterator(commands.commands.begin()),
                 std::make_move_iterator(commands.commands.end()));
    commands.commands.clear();
  }

  void call_handlers() {
    for (const auto& commands : std::exchange(done_, {})) {
      commands->retained.clear();
      for (void* handler : std::exchange(commands->scheduled_handlers, {}))
        call_and_release(handler, *commands);
      for (void* handler : std::exchange(commands->completed_handlers, {}))
        call_and_release(handler, *commands);
    }
  }

  static void call_and_release(void* handler, CommandBuffer& commands) {
    call_block(handler, &commands);
    release_block(handler);
  }

  std::recursive_mutex mutex_;  // handlers may commit
  std::deque<Owned<CommandBuffer>> pending_;
  std::vector<Owned<CommandBuffer>> done_;
  std::vector<Command> held_;
  std::string failure_;
};

CommandBuffer* command_buffer(CommandQueue& queue, bool retains_references) {
  Submissions::instance().make_room(queue);
  return static_cast<CommandBuffer*>(
      autorelease(make<CommandBuffer>(Owned<CommandQueue>(&queue), retains_references)));
}

template <class T>
T* encoder(CommandBuffer& self) {
  if (self.is_encoding) fatal("a command buffer has one encoder at a time: end the last one first");
  if (self.status >= Status::committed) fatal("a command buffer is encoded after its commit");
  self.is_encoding = true;
  T* made = make<T>();
  made->commands = Owned<CommandBuffer>(&self);
  return static_cast<T*>(autorelease(made));
}

void register_command_buffer() {
  ClassBuilder<CommandBuffer>()
      .method("computeCommandEncoder",
              [](CommandBuffer& self) { return encoder<ComputeCommandEncoder>(self); })
      .method("computeCommandEncoderWithDispatchType:",
              [](CommandBuffer& self, std::uint64_t type) {
                auto* made = encoder<ComputeCommandEncoder>(self);
                made->dispatch_type = type;
                return made;
              })
      .method("blitCommandEncoder", [](CommandBuffer& self) { return encoder<BlitCommandEncoder>(self); })
      .method("enqueue", [](CommandBuffer& self) { self.status = std::max(self.status, Status::enqueued); })
      .method("commit", [](CommandBuffer& self) { Submissions::instance().commit(self); })
      .method("waitUntilCompleted", [](CommandBuffer& self) { Submissions::instance().run_until(self); })
      .method("waitUntilScheduled", [](CommandBuffer&) {})
      .method("addCompletedHandler:",
              [](CommandBuffer& self, void* block) {
                if (self.status >= Status::committed) fatal("addCompletedHandler after commit");
                self.completed_handlers.push_back(copy_block(block));
              })
      .method("addScheduledHandler:",
              [](CommandBuffer& self, void* block) { self.scheduled_handlers.push_back(copy_block(block)); })
      .method("status", [](CommandBuffer& self) { return self.status; })
      .method("error", [](CommandBuffer& self) { return self.error.get(); })
      .method("commandQueue", [](CommandBuffer& self) { return self.queue.get(); })
      .method("device", [](CommandBuffer& self) { return self.queue->device.get(); })
      .method("retainedReferences", [](CommandBuffer& self) { return self.retains_references; })
      .method("GPUStartTime", [](CommandBuffer& self) { return self.start_time; })
      .method("GPUEndTime", [](CommandBuffer& self) { return self.end_time; })
      .method("label", [](CommandBuffer& self) { return self.label.get(); })
      .method("setLabel:", [](CommandBuffer& self, String* label) { self.label = Owned<String>(label); });
}

}  // namespace

CommandBuffer::~CommandBuffer() {
  for (void* handler : completed_handlers) release_block(handler);
  for (void* handler : scheduled_handlers) release_block(handler);
}

void register_command_classes() {
  ClassBuilder<CommandQueue>()
      .method("commandBuffer", [](CommandQueue& self) { return command_buffer(self, true); })
      .method("commandBufferWithUnretainedReferences",
              [](CommandQueue& self) { return command_buffer(self, false); })
      .method("device", [](CommandQueue& self) { return self.device.get(); })
      .method("label", [](CommandQueue& self) { return self.label.get(); })
      .method("setLabel:", [](CommandQueue& self, String* label) { self.label = Owned<String>(label); });
  register_command_buffer();
}

}  // namespace metal_emulator

extern "C" void metal_emulator_fail_next_command_buffer(const char* description) {
  metal_emulator::Submissions::instance().fail_next(description);
}
