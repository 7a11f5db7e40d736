// Encoders: they check what they are told, and leave commands in their command buffer.
#include <cstring>

#include "metal_classes.h"

namespace metal_emulator {
namespace {

constexpr std::uint64_t kMaxBytes = 4096;

void check_open(const Encoder& encoder) {
  if (encoder.has_ended) fatal("an encoder was used after endEncoding");
}

void end_encoding(Encoder& encoder) {
  check_open(encoder);
  encoder.has_ended = true;
  encoder.commands->is_encoding = false;
}

void use(Encoder& encoder, Buffer& buffer) {
  check_open(encoder);
  if (encoder.commands->retains_references) encoder.commands->retained.emplace_back(&buffer);
}

void set_buffer(ComputeCommandEncoder& self, Buffer* buffer, std::uint64_t offset, std::uint64_t index) {
  check_open(self);
  if (index >= kBufferSlots)
    fatal("setBuffer at index %llu: there are %u", (unsigned long long)index, kBufferSlots);
  if (buffer == nullptr) {
    self.bindings[index] = {};
    return;
  }
  if (offset > buffer->memory->length()) {
    fatal("setBuffer at offset %llu of buffer '%s', which has %zu bytes",
          static_cast<unsigned long long>(offset), buffer->memory->label.c_str(), buffer->memory->length());
  }
  use(self, *buffer);
  self.bindings[index] = {buffer->memory, offset, {}};
}

void set_bytes(ComputeCommandEncoder& self, const void* bytes, std::uint64_t length, std::uint64_t index) {
  check_open(self);
  if (index >= kBufferSlots)
    fatal("setBytes at index %llu: there are %u", (unsigned long long)index, kBufferSlots);
  if (length == 0 || length > kMaxBytes) {
    fatal("setBytes of %llu bytes: Metal takes 1 to %llu", static_cast<unsigned long long>(length),
          static_cast<unsigned long long>(kMaxBytes));
  }
  const auto* first = static_cast<const unsigned char*>(bytes);
  self.bindings[index] = {nullptr, 0, std::vector<unsigned char>(first, first + length)};
}

Extent extent(const MTL::Size& size) {
  if ((size.width | size.height | size.depth) >> 32 != 0) {
    fatal("a grid of %llu x %llu x %llu: positions are of 32 bits", (unsigned long long)size.width,
          (unsigned long long)size.height, (unsigned long long)size.depth);
  }
  return {static_cast<unsigned>(size.width), static_cast<unsigned>(size.height),
          static_cast<unsigned>(size.depth)};
}

void dispatch(ComputeCommandEncoder& self, Extent groups, Extent threads, Extent grid) {
  check_open(self);
  if (!self.pipeline) fatal("a dispatch without setComputePipelineState");
  self.commands->commands.emplace_back(
      make_dispatch(*self.pipeline->kernel, self.bindings, self.threadgroup_lengths, groups, threads, grid));
}

void dispatch_threads(ComputeCommandEncoder& self, const MTL::Size& grid, const MTL::Size& threads) {
  const Extent all = extent(grid);
  const Extent group = extent(threads);
  const auto count = [](unsigned whole, unsigned part) {
    return part == 0 ? 0 : whole / part + (whole % part != 0);
  };
  dispatch(self, {count(all.x, group.x), count(all.y, group.y), count(all.z, group.z)}, group, all);
}

void dispatch_groups(ComputeCommandEncoder& self, const MTL::Size& groups, const MTL::Size& threads) {
  const MTL::Size grid(groups.width * threads.width, groups.height * threads.height,
                       groups.depth * threads.depth);
  dispatch(self, extent(groups), extent(threads), extent(grid));
}

template <class T>
void register_common(ClassBuilder<T>& builder) {
  builder.method("endEncoding", [](T& self) { end_encoding(self); })
      .method("label", [](T& self) { return self.label.get(); })
      .method("setLabel:", [](T& self, String* label) { self.label = Owned<String>(label); })
      .method("insertDebugSignpost:", [](T& self, String*) { check_open(self); })
      .method("pushDebugGroup:", [](T& self, String*) { check_open(self); })
      .method("popDebugGroup", [](T& self) { check_open(self); });
}

void register_compute() {
  ClassBuilder<ComputeCommandEncoder> builder;
  register_common(builder);
  builder
      .method("setComputePipelineState:",
              [](ComputeCommandEncoder& self, ComputePipelineState* pipeline) {
                check_open(self);
                self.pipeline = Owned<ComputePipelineState>(pipeline);
              })
      .method("setBuffer:offset:atIndex:",
              [](ComputeCommandEncoder& self, Buffer* buffer, std::uint64_t offset, std::uint64_t index) {
                set_buffer(self, buffer, offset, index);
              })
      .method("setBytes:length:atIndex:",
              [](ComputeCommandEncoder& self, const void* bytes, std::uint64_t length, std::uint64_t index) {
                set_bytes(self, bytes, length, index);
              })
      .method("setThreadgroupMemoryLength:atIndex:",
              [](ComputeCommandEncoder& self, std::uint64_t length, std::uint64_t index) {
                check_open(self);
                if (index >= kThreadgroupSlots || length > kMaxThreadgroupMemory || length % 16 != 0) {
                  fatal(
                      "setThreadgroupMemoryLength of %llu bytes at %llu: a multiple of 16 up to %zu, at less "
                      "than %u",
                      static_cast<unsigned long long>(length), static_cast<unsigned long long>(index),
                      kMaxThreadgroupMemory, kThreadgroupSlots);
                }
                self.threadgroup_lengths[index] = length;
              })
      .method("dispatchThreads:threadsPerThreadgroup:",
              [](ComputeCommandEncoder& self, MTL::Size grid, MTL::Size threads) {
                dispatch_threads(self, grid, threads);
              })
      .method("dispatchThreadgroups:threadsPerThreadgroup:",
              [](ComputeCommandEncoder& self, MTL::Size groups, MTL::Size threads) {
                dispatch_groups(self, groups, threads);
              })
      .method("dispatchType", [](ComputeCommandEncoder& self) { return self.dispatch_type; })
      .method("memoryBarrierWithScope:", [](ComputeCommandEncoder& self, std::uint64_t) { check_open(self); })
      .method("memoryBarrierWithResources:count:",
              [](ComputeCommandEncoder& self, const void*, std::uint64_t) { check_open(self); })
      .method("useResource:usage:",
              [](ComputeCommandEncoder& self, Buffer* buffer, std::uint64_t) { use(self, *buffer); });
}

void check_range(const Buffer& buffer, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t length = buffer.memory->length();
  if (offset > length || size > length - offset) {
    fatal("a blit of %llu bytes at %llu of buffer '%s', which has %llu",
          static_cast<unsigned long long>(size), static_cast<unsigned long long>(offset),
          buffer.memory->label.c_str(), static_cast<unsigned long long>(length));
  }
}

void copy(BlitCommandEncoder& self, Buffer& source, std::uint64_t source_offset, Buffer& target,
          std::uint64_t target_offset, std::uint64_t size) {
  use(self, source);
  use(self, target);
  check_range(source, source_offset, size);
  check_range(target, target_offset, size);
  const bool overlaps =
      &source == &target && source_offset < target_offset + size && target_offset < source_offset + size;
  if (overlaps) fatal("a copy within buffer '%s' overlaps itself", source.memory->label.c_str());
  self.commands->commands.emplace_back(
      Copy{source.memory, source_offset, target.memory, target_offset, size});
}

void register_blit() {
  ClassBuilder<BlitCommandEncoder> builder;
  register_common(builder);
  builder
      .method("copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:",
              [](BlitCommandEncoder& self, Buffer* source, std::uint64_t source_offset, Buffer* target,
                 std::uint64_t target_offset,
                 std::uint64_t size) { copy(self, *source, source_offset, *target, target_offset, size); })
      .method("fillBuffer:range:value:", [](BlitCommandEncoder& self, Buffer* target, NS::Range range,
                                            std::uint8_t value) {
        use(self, *target);
        check_range(*target, range.location, range.length);
        self.commands->commands.emplace_back(Fill{target->memory, range.location, range.length, value});
      });
}

}  // namespace

void register_encoder_classes() {
  register_compute();
  register_blit();
}

}  // namespace metal_emulator
