#include "jit/program.h"

#include "jit/passes/passes.h"

namespace mlx::jit {

Program::Program(Graph graph, std::vector<BufferId> inputs)
    : graph_(std::move(graph)), inputs_(std::move(inputs)) {
  plan_ = plan_memory(graph_);
  prepare();
}

void Program::prepare() {
  std::vector<bool> result(graph_.buffers.size()), input(graph_.buffers.size()), write(graph_.buffers.size());
  for (BufferId b : graph_.results) result[b] = true;
  for (BufferId b : inputs_) input[b] = true;
  for (size_t b = 0; b < graph_.buffers.size(); ++b) {
    const Buffer& buffer = graph_.buffers[b];
    // A buffer with storage is read and written where it lies; the others are windows.
    windows_.push_back(buffer.storage && !input[b] ? buffer.storage
                                                   : Storage::window(buffer.bytes, buffer.device));
  }
  size_t count = 0;
  for (const Operation& op : graph_.operations) count += op.outputs.size() + op.inputs.size();
  operands_.reserve(count);
  pointers_.reserve(count);
  auto add = [&](const View& v) {
    operands_.push_back(v.defined() ? tensor_over(windows_[v.buffer], v.shape, v.strides, v.offset, v.dtype)
                                    : Tensor());
    pointers_.push_back(&operands_.back());
    long_work_ |= v.defined() && numel(v.shape) >= kLongWork;
  };
  for (Operation& op : graph_.operations) {
    const size_t first = pointers_.size();
    for (const View& v : op.outputs) add(v);
    for (const View& v : op.inputs) add(v);
    for_writes(op, [&](const View& v) { write[v.buffer] = true; });
    const std::span<const Tensor* const> all(pointers_.data() + first, pointers_.size() - first);
    Launch launch{op.kernel, op.params.data(), op.params.size() * sizeof(uint64_t),
                  all.first(op.outputs.size()), all.subspan(op.outputs.size())};
    const View& home = (op.outputs.empty() ? op.inputs : op.outputs)[0];
    if (op.generator >= 0) draws_.push_back({op.params.data(), op.generator, op.params[1]});
    const Device device = graph_.buffers[home.buffer].device;
    const bool alone = std::all_of(all.begin(), all.end(),
                                   [&](const Tensor* t) { return !t->defined() || t->device() == device; });
    steps_.push_back({alone ? &backend(device.type) : nullptr, launch});
  }
  std::vector<bool> used = result;
  for (const Operation& op : graph_.operations) {
    for_writes(op, [&](const View& v) { used[v.buffer] = true; });
    for_reads(op, [&](const View& v) { used[v.buffer] = true; });
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    used_.push_back(used[inputs_[i]]);
    if (write[inputs_[i]]) written_.push_back(i);
  }
}

void Program::bind(std::span<const Ref<Storage>> inputs, std::span<const DrawStart> starts) {
  for (size_t i = 0; i < inputs_.size(); ++i)
    windows_[inputs_[i]]->rebind(inputs[i] ? inputs[i]->data() : nullptr);
  for (const Draw& d : draws_) {
    d.stream[0] = starts[d.generator].seed;
    d.stream[1] = starts[d.generator].position + d.position;
  }
}

// Pieces come and go as tensors do in eager calls.
void Program::run_steps(std::vector<Ref<Storage>>& pieces) {
  auto next = plan_.pieces.begin();
  auto ended = plan_.by_last.begin();
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (; next != plan_.pieces.end() && next->first == static_cast<int>(i); ++next) {
      const Buffer& buffer = graph_.buffers[next->buffers[0]];
      Ref<Storage>& piece = pieces[static_cast<size_t>(next - plan_.pieces.begin())];
      piece = Storage::allocate(buffer.bytes, buffer.device);
      for (BufferId b : next->buffers) windows_[b]->rebind(piece->data());
    }
    const Step& s = steps_[i];
    s.backend ? s.backend->run(s.launch) : launch(s.launch);
    for (; ended != plan_.by_last.end() && plan_.pieces[*ended].last == static_cast<int>(i); ++ended)
      pieces[*ended].reset();
  }
  // Results that no operation writes.
  for (; next != plan_.pieces.end(); ++next) {
    const Buffer& buffer = graph_.buffers[next->result];
    pieces[static_cast<size_t>(next - plan_.pieces.begin())] = Storage::allocate(buffer.bytes, buffer.device);
  }
}

std::vector<Ref<Storage>> Program::run(std::span<const Ref<Storage>> inputs,
                                       std::span<const DrawStart> starts) {
  // Another thread may be in a run, whose kernels let go of the host language's lock: wait without it too.
  std::unique_lock lock(running_, std::try_to_lock);
  if (!lock.owns_lock()) {
    OutsideHost outside;
    lock.lock();
  }
  bind(inputs, starts);
  std::array<Ref<Storage>, 3> blocks;
  for (BufferId b : plan_.in_block) {
    const Device device = graph_.buffers[b].device;
    const auto type = static_cast<size_t>(device.type);
    if (!blocks[type]) blocks[type] = Storage::allocate(plan_.bytes[type], device);
    windows_[b]->rebind(static_cast<char*>(blocks[type]->data()) + plan_.offsets[b]);
  }
  std::vector<Ref<Storage>> pieces(plan_.pieces.size());
  {
    std::optional<OutsideHost> outside;
    if (long_work_) outside.emplace();
    run_steps(pieces);
  }
  std::vector<Ref<Storage>> fresh(graph_.buffers.size());
  for (size_t i = 0; i < pieces.size(); ++i)
    if (const BufferId result = plan_.pieces[i].result; result != kNone) fresh[result] = std::move(pieces[i]);
  for (size_t i : written_) inputs[i]->bump_version();
  std::vector<Ref<Storage>> results;
  for (BufferId b : graph_.results) {
    if (fresh[b]) {
      results.push_back(fresh[b]);
      continue;
    }
    auto at = std::find(inputs_.begin(), inputs_.end(), b);
    results.push_back(at == inputs_.end() ? graph_.buffers[b].storage : inputs[at - inputs_.begin()]);
  }
  return results;
}

}  // namespace mlx::jit
