// MTLDevice and what it makes: buffers, libraries, functions, pipelines.
#include <cstring>

#include "metal_classes.h"

namespace metal_emulator {
namespace {

constexpr std::uint64_t kMaxBufferLength = std::uint64_t{8} << 30;
constexpr std::uint64_t kWorkingSet = std::uint64_t{16} << 30;

// The families of an M2: Apple1 to Apple8, Mac2, Common1 to 3, Metal3.
bool supports_family(std::int64_t family) {
  return (family >= 1001 && family <= 1008) || family == 2002 || (family >= 3001 && family <= 3003) ||
         family == 5001;
}

Buffer* new_buffer(Device& device, const void* bytes, std::uint64_t length, std::uint64_t options) {
  if (length == 0 || length > kMaxBufferLength) {
    fatal("newBuffer of %llu bytes: a buffer has 1 to %llu", static_cast<unsigned long long>(length),
          static_cast<unsigned long long>(kMaxBufferLength));
  }
  install_fault_handler();
  SharedMemory memory = allocate_buffer_memory(length);
  if (bytes != nullptr) std::memcpy(memory->contents(), bytes, length);
  return make<Buffer>(Owned<Device>(&device), options, std::move(memory));
}

Library* new_library(Device& device, String* source, CompileOptions* options, Error** error_out) {
  const Compilation result = compile_msl(source->text, options == nullptr ? MathMode::fast : options->mode);
  if (!result.library) {
    if (error_out != nullptr) *error_out = error("MTLLibraryErrorDomain", 3, result.errors);
    return nullptr;
  }
  return make<Library>(Owned<Device>(&device), result.library);
}

ComputePipelineState* new_pipeline(Device& device, Function* function, Error** error_out) {
  if (function == nullptr) fatal("newComputePipelineState of no function");
  const std::uint64_t memory = total_size(static_memory_of(*function->kernel));
  if (memory > kMaxThreadgroupMemory) {
    if (error_out != nullptr) {
      *error_out =
          error("AGXMetalEmulator", 3,
                std::string("kernel ") + function->kernel->name + " uses " + std::to_string(memory) +
                    " bytes of threadgroup memory, there are " + std::to_string(kMaxThreadgroupMemory));
    }
    return nullptr;
  }
  return make<ComputePipelineState>(Owned<Device>(&device), function->kernel, memory);
}

void register_device() {
  ClassBuilder<Device>()
      .method("name", [](Device&) { return string("Metal emulator"); })
      .method("newBufferWithLength:options:",
              [](Device& self, std::uint64_t length, std::uint64_t options) {
                return new_buffer(self, nullptr, length, options);
              })
      .method("newBufferWithBytes:length:options:",
              [](Device& self, const void* bytes, std::uint64_t length, std::uint64_t options) {
                return new_buffer(self, bytes, length, options);
              })
      .method("newCommandQueue", [](Device& self) { return make<CommandQueue>(Owned<Device>(&self)); })
      .method("newCommandQueueWithMaxCommandBufferCount:",
              [](Device& self, std::uint64_t capacity) {
                return make<CommandQueue>(Owned<Device>(&self), capacity);
              })
      .method("newLibraryWithSource:options:error:",
              [](Device& self, String* source, CompileOptions* options, Error** error_out) {
                return new_library(self, source, options, error_out);
              })
      .method("newComputePipelineStateWithFunction:error:",
              [](Device& self, Function* function, Error** error_out) {
                return new_pipeline(self, function, error_out);
              })
      .method("supportsFamily:", [](Device&, std::int64_t family) { return supports_family(family); })
      .method("hasUnifiedMemory", [](Device&) { return true; })
      .method("isLowPower", [](Device&) { return false; })
      .method("isHeadless", [](Device&) { return false; })
      .method("isRemovable", [](Device&) { return false; })
      .method("registryID", [](Device&) { return std::uint64_t{1}; })
      .method("recommendedMaxWorkingSetSize", [](Device&) { return kWorkingSet; })
      .method("maxBufferLength", [](Device&) { return kMaxBufferLength; })
      .method("maxThreadgroupMemoryLength", [](Device&) { return std::uint64_t{kMaxThreadgroupMemory}; })
      .method("maxThreadsPerThreadgroup", [](Device&) { return MTL::Size(1024, 1024, 1024); })
      .method("currentAllocatedSize", [](Device&) { return std::uint64_t{allocated_buffer_bytes()}; });
}

void register_buffer() {
  ClassBuilder<Buffer>()
      .method("contents", [](Buffer& self) -> void* { return self.memory->contents(); })
      .method("length", [](Buffer& self) { return std::uint64_t{self.memory->length()}; })
      .method("allocatedSize", [](Buffer& self) { return std::uint64_t{self.memory->length()}; })
      .method("device", [](Buffer& self) { return self.device.get(); })
      .method("resourceOptions", [](Buffer& self) { return self.options; })
      .method("storageMode", [](Buffer& self) { return self.options >> 4 & 15; })
      .method("gpuAddress",
              [](Buffer& self) { return reinterpret_cast<std::uint64_t>(self.memory->contents()); })
      .method("label", [](Buffer& self) { return string(self.memory->label); })
      .method("setLabel:",
              [](Buffer& self, String* label) { self.memory->label = label == nullptr ? "" : label->text; });
}

void register_library() {
  ClassBuilder<CompileOptions>()
      .class_method("alloc", [] { return make<CompileOptions>(); })
      .method("fastMathEnabled", [](CompileOptions& self) { return self.mode == MathMode::fast; })
      .method(
          "setFastMathEnabled:",
          [](CompileOptions& self, bool enabled) { self.mode = enabled ? MathMode::fast : MathMode::safe; })
      .method("mathMode", [](CompileOptions& self) { return static_cast<std::int64_t>(self.mode); })
      .method("setMathMode:",
              [](CompileOptions& self, std::int64_t mode) { self.mode = static_cast<MathMode>(mode); })
      .method("languageVersion", [](CompileOptions& self) { return self.language_version; })
      .method("setLanguageVersion:",
              [](CompileOptions& self, std::uint64_t version) { self.language_version = version; });
  ClassBuilder<Library>()
      .method("newFunctionWithName:",
              [](Library& self, String* name) -> Function* {
                const Kernel* kernel = self.compiled->find(name->text);
                return kernel == nullptr ? nullptr : make<Function>(self.device, kernel);
              })
      .method("device", [](Library& self) { return self.device.get(); })
      .method("label", [](Library& self) { return self.label.get(); })
      .method("setLabel:", [](Library& self, String* label) { self.label = Owned<String>(label); });
  ClassBuilder<Function>()
      .method("name", [](Function& self) { return string(self.kernel->name); })
      .method("device", [](Function& self) { return self.device.get(); })
      .method("label", [](Function& self) { return self.label.get(); })
      .method("setLabel:", [](Function& self, String* label) { self.label = Owned<String>(label); });
  ClassBuilder<ComputePipelineState>()
      .method("device", [](ComputePipelineState& self) { return self.device.get(); })
      .method("maxTotalThreadsPerThreadgroup",
              [](ComputePipelineState& self) { return std::uint64_t{self.kernel->max_threads}; })
      .method("threadExecutionWidth", [](ComputePipelineState&) { return std::uint64_t{kSimdWidth}; })
      .method("staticThreadgroupMemoryLength", [](ComputePipelineState& self) { return self.static_memory; });
}

}  // namespace

void register_device_classes() {
  register_device();
  register_buffer();
  register_library();
}

}  // namespace metal_emulator

extern "C" void* MTLCreateSystemDefaultDevice() {
  using namespace metal_emulator;
  // One device, which the system itself holds on to.
  static Device* const device = make<Device>();
  return retained(device);
}

// metal-cpp's own code names these three, whether a program calls them or not.
extern "C" void* MTLCopyAllDevices() {
  metal_emulator::fatal("MTLCopyAllDevices: the emulator has one device");
}
extern "C" void* MTLCopyAllDevicesWithObserver(void*, void*) {
  metal_emulator::fatal("MTLCopyAllDevicesWithObserver: the emulator has one device");
}
extern "C" void MTLRemoveDeviceObserver(const void*) {
  metal_emulator::fatal("MTLRemoveDeviceObserver: the emulator has one device");
}
