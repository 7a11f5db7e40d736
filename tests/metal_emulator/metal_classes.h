// The objects of the Metal API: device, buffers, libraries and pipelines, queues, command buffers and
// encoders.
#pragma once

#include <Metal/MTLTypes.hpp>
#include <string>
#include <variant>
#include <vector>

#include "dispatch.h"
#include "foundation_classes.h"
#include "memory_guard.h"
#include "msl_compiler.h"
#include "objc_runtime.h"

namespace metal_emulator {

struct Device : Object {
  static constexpr const char* kClassName = "MTLDevice";
};

struct Buffer : Object {
  static constexpr const char* kClassName = "MTLBuffer";
  ~Buffer() { memory->release(); }
  Owned<Device> device{};
  std::uint64_t options = 0;
  SharedMemory memory{};
};

struct CompileOptions : Object {
  static constexpr const char* kClassName = "MTLCompileOptions";
  MathMode mode = MathMode::fast;
  std::uint64_t language_version = 0;
};

struct Library : Object {
  static constexpr const char* kClassName = "MTLLibrary";
  Owned<Device> device{};
  std::shared_ptr<const CompiledLibrary> compiled{};
  Owned<String> label{};
};

struct Function : Object {
  static constexpr const char* kClassName = "MTLFunction";
  Owned<Device> device{};
  const Kernel* kernel = nullptr;
  Owned<String> label{};
};

struct ComputePipelineState : Object {
  static constexpr const char* kClassName = "MTLComputePipelineState";
  Owned<Device> device{};
  const Kernel* kernel = nullptr;
  std::uint64_t static_memory = 0;
};

struct CommandQueue : Object {
  static constexpr const char* kClassName = "MTLCommandQueue";
  Owned<Device> device{};
  std::uint64_t capacity = 64;
  Owned<String> label{};
};

struct Copy {
  SharedMemory source{};
  std::size_t source_offset;
  SharedMemory target{};
  std::size_t target_offset;
  std::size_t size;
};

struct Fill {
  SharedMemory target{};
  std::size_t offset;
  std::size_t size;
  unsigned char value;
};

using Command = std::variant<Dispatch, Copy, Fill>;

// As in MTLCommandBufferStatus.
enum class Status : std::uint64_t { not_enqueued, enqueued, committed, scheduled, completed, error };

struct CommandBuffer : Object {
  static constexpr const char* kClassName = "MTLCommandBuffer";
  ~CommandBuffer();
  Owned<CommandQueue> queue{};
  bool retains_references = true;
  Status status = Status::not_enqueued;
  Owned<Error> error{};
  Owned<String> label{};
  bool is_encoding = false;
  std::vector<Command> commands{};
  std::vector<Owned<Buffer>> retained{};
  std::vector<void*> completed_handlers{};  // blocks, as are these
  std::vector<void*> scheduled_handlers{};
  double start_time = 0;
  double end_time = 0;
};

// What all encoders have.
struct Encoder : Object {
  ~Encoder() {
    if (!has_ended) fatal("an encoder was released without endEncoding");
  }
  Owned<CommandBuffer> commands{};
  bool has_ended = false;
  Owned<String> label{};
};

struct ComputeCommandEncoder : Encoder {
  static constexpr const char* kClassName = "MTLComputeCommandEncoder";
  std::uint64_t dispatch_type = 0;
  Owned<ComputePipelineState> pipeline{};
  Bindings bindings{};
  ThreadgroupLengths threadgroup_lengths{};
};

struct BlitCommandEncoder : Encoder {
  static constexpr const char* kClassName = "MTLBlitCommandEncoder";
};

void register_device_classes();
void register_command_classes();
void register_encoder_classes();

}  // namespace metal_emulator
