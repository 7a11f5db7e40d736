#include "backends/metal/metal_runtime.h"

#include "base/error.h"

namespace mlx::metal {
namespace {

// A batch goes to the device when it holds so many kernels, or touches so many bytes: small ones keep the
// device waiting for the next, large ones keep it idle at the start.
constexpr size_t kBatchKernels = 64;
constexpr size_t kBatchBytes = 64 << 20;
// The host is not further ahead than this.
constexpr size_t kMaxRunning = 8;

// Objects that a call returns without ownership live until here.
class Pool {
 public:
  Pool() : pool_(NS::AutoreleasePool::alloc()->init()) {}
  ~Pool() { pool_->release(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  NS::AutoreleasePool* pool_;
};

NS::String* text(const char* s) { return NS::String::string(s, NS::UTF8StringEncoding); }

std::string words(NS::Error* error) {
  return error && error->localizedDescription() ? error->localizedDescription()->utf8String()
                                                : "no reason given";
}

std::string joined(const std::vector<const char*>& ops) {
  std::string list;
  for (size_t i = 0; i < ops.size(); ++i)
    if (i == 0 || std::string_view(ops[i]) != ops[i - 1]) list += str(list.empty() ? "" : ", ", ops[i]);
  return list;
}

MTL::Size size_of(gpu::Size s) { return MTL::Size(s.x, s.y, s.z); }

}  // namespace

// ---- memory

void BufferTable::add(MTL::Buffer* buffer) {
  blocks_[reinterpret_cast<uintptr_t>(buffer->contents())] = {buffer};
}

MTL::Buffer* BufferTable::remove(const void* p) {
  auto at = blocks_.find(reinterpret_cast<uintptr_t>(p));
  MTL::Buffer* buffer = at->second.buffer;
  blocks_.erase(at);
  return buffer;
}

BufferTable::Entry& BufferTable::find(const void* p, size_t* offset) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  auto after = blocks_.upper_bound(address);
  if (after != blocks_.begin()) {
    auto& [start, entry] = *std::prev(after);
    if (offset) *offset = address - start;
    if (address - start < entry.buffer->length()) return entry;
  }
  throw RuntimeError("mps: an operand does not lie in the device's memory");
}

void* MetalRuntime::acquire(size_t bytes) noexcept {
  Pool pool;
  MTL::Buffer* buffer = device_->newBuffer(bytes, MTL::ResourceStorageModeShared);
  if (!buffer) return nullptr;
  const std::lock_guard lock(mutex_);
  buffers_.add(buffer);
  return buffer->contents();
}

// Work that is under way keeps its buffers by itself.
void MetalRuntime::release(void* p, size_t) noexcept {
  Pool pool;
  const std::lock_guard lock(mutex_);
  buffers_.remove(p)->release();
}

void MetalRuntime::share_with_host(const void* p, bool shared) {
  const std::lock_guard lock(mutex_);
  buffers_.find(p).shared = shared;
}

// ---- kernels

MetalRuntime::MetalRuntime(MTL::Device* device) : device_(device), queue_(device->newCommandQueue()) {}

const gpu::Kernel* MetalRuntime::kernel(std::string_view source, const char* function) {
  const std::lock_guard lock(mutex_);
  gpu::Kernel& found = kernels_[str(function, '\n', source)];
  if (!found.state) found = {function, compile(std::string(source), function)};
  return &found;
}

MTL::ComputePipelineState* MetalRuntime::compile(const std::string& source, const char* function) {
  Pool pool;
  NS::Error* error = nullptr;
  MTL::CompileOptions* options = MTL::CompileOptions::alloc()->init();
  // NaN, infinities and the order of operations are part of an op's meaning.
  options->setFastMathEnabled(false);
  options->setLanguageVersion(MTL::LanguageVersion3_1);
  MTL::Library* library = device_->newLibrary(text(source.c_str()), options, &error);
  options->release();
  if (!library) throw RuntimeError("mps: a kernel does not compile: ", words(error));
  MTL::Function* entry = library->newFunction(text(function));
  library->release();
  if (!entry) throw RuntimeError("mps: a kernel's text has no function '", function, "'");
  MTL::ComputePipelineState* state = device_->newComputePipelineState(entry, &error);
  entry->release();
  if (!state) throw RuntimeError("mps: the kernel '", function, "' cannot be made: ", words(error));
  return state;
}

// ---- the queue

MTL::ComputeCommandEncoder* MetalRuntime::encoder() {
  if (encoder_) return encoder_;
  open_.commands = queue_->commandBuffer()->retain();
  // One after the other: each kernel sees what those before it wrote.
  encoder_ = open_.commands->computeCommandEncoder(MTL::DispatchTypeSerial)->retain();
  return encoder_;
}

// Returns how many bytes of memory the argument brings in.
size_t MetalRuntime::bind(const gpu::Argument& argument, uint32_t slot, bool& shared) {
  if (argument.kind == gpu::Argument::Bytes) {
    encoder_->setBytes(argument.pointer, argument.bytes, slot);
    return 0;
  }
  size_t offset;
  BufferTable::Entry& entry = buffers_.find(argument.pointer, &offset);
  if (argument.kind != gpu::Argument::Write) entry.last_read = open_.number;
  if (argument.kind != gpu::Argument::Read) entry.last_write = open_.number;
  shared |= entry.shared;
  encoder_->setBuffer(entry.buffer, offset, slot);
  return entry.buffer->length() - offset;
}

void MetalRuntime::run(const gpu::Dispatch& dispatch) {
  Pool pool;
  const std::lock_guard lock(mutex_);
  encoder()->setComputePipelineState(dispatch.kernel->state);
  bool shared = false;
  for (uint32_t i = 0; i < dispatch.arguments.size(); ++i)
    open_bytes_ += bind(dispatch.arguments[i], i, shared);
  encoder_->dispatchThreadgroups(size_of(dispatch.groups), size_of(dispatch.threads));
  open_.ops.push_back(dispatch.op);
  if (shared)
    wait_for(open_.number);
  else if (open_.ops.size() >= kBatchKernels || open_bytes_ >= kBatchBytes)
    commit();
}

void MetalRuntime::commit() {
  if (!encoder_) return;
  encoder_->endEncoding();
  encoder_->release();
  encoder_ = nullptr;
  open_bytes_ = 0;
  open_.commands->commit();
  const uint64_t next = open_.number + 1;
  running_.push_back(std::move(open_));
  open_ = {next, nullptr, {}};
  if (running_.size() > kMaxRunning) wait_for(running_.front().number);
}

void MetalRuntime::wait_for(uint64_t batch) {
  Pool pool;
  if (batch >= open_.number) commit();
  while (!running_.empty() && running_.front().number <= batch) {
    Batch first = std::move(running_.front());
    running_.pop_front();
    finish(std::move(first));
  }
}

void MetalRuntime::finish(Batch batch) {
  batch.commands->waitUntilCompleted();
  const bool failed = batch.commands->status() == MTL::CommandBufferStatusError;
  const std::string why = failed ? words(batch.commands->error()) : "";
  batch.commands->release();
  if (failed) throw RuntimeError("mps: the device failed in ", joined(batch.ops), ": ", why);
}

void MetalRuntime::wait(const void* p, bool reads) {
  const std::lock_guard lock(mutex_);
  const BufferTable::Entry& entry = buffers_.find(p);
  wait_for(reads ? std::max(entry.last_read, entry.last_write) : entry.last_write);
}

bool MetalRuntime::is_busy(const void* p) {
  const std::lock_guard lock(mutex_);
  const BufferTable::Entry& entry = buffers_.find(p);
  return !is_done(std::max(entry.last_read, entry.last_write));
}

// The device does batches in order, so the batches before one that is done are done too.
bool MetalRuntime::is_done(uint64_t batch) const {
  if (batch >= open_.number) return !encoder_;
  for (const Batch& b : running_)
    if (b.number == batch) return b.commands->status() == MTL::CommandBufferStatusCompleted;
  return true;
}

void MetalRuntime::synchronize() {
  const std::lock_guard lock(mutex_);
  wait_for(open_.number);
}

}  // namespace mlx::metal

extern "C" {

// The runtime of this machine's device, or null if it has none. It lives as long as the process.
__attribute__((visibility("default"))) mlx::gpu::Runtime* mlx_metal_runtime() {
  static MTL::Device* device = MTL::CreateSystemDefaultDevice();
  static mlx::metal::MetalRuntime* runtime = device ? new mlx::metal::MetalRuntime(device) : nullptr;
  return runtime;
}

}  // extern "C"
