#include "jit/recorder.h"

#include "memory/allocator.h"
#include "tape/node.h"

namespace mlx::jit {

namespace {

// The number that the next symbol will exceed.
uint64_t latest_symbol() {
  const bool before = Tracing::on;
  Tracing::on = true;
  const uint64_t number = Storage::allocate(0, {})->symbol();
  Tracing::on = before;
  return number;
}

}  // namespace

uint64_t next_node() {
  struct Marker : Node {
    std::string kind() const override { return "Marker"; }
    Grads backward(const Grads&) override { return {}; }
  };
  return Ref<Node>(new Marker)->sequence();
}

LaunchRecorder::LaunchRecorder() : first_symbol_(latest_symbol()), nested_(Recorder::current()) {}

void LaunchRecorder::record(const Launch& launch) {
  Operation op;
  op.kernel = launch.kernel;
  op.params.resize((launch.params_size + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  std::memcpy(op.params.data(), launch.params, launch.params_size);
  for (const Tensor* t : launch.outputs) {
    op.outputs.push_back(view(*t));
    if (t->defined()) take_first_value(*t->storage(), op.outputs.back().buffer);
  }
  for (const Tensor* t : launch.inputs) op.inputs.push_back(view(*t));
  if (const auto* call = op.as<HostCall>()) op.kept = call->keep(call->context);
  graph_.operations.push_back(std::move(op));
}

Tensor LaunchRecorder::placeholder(const Tensor& t) {
  Ref<Storage>& symbol = placeholders_[t.storage().get()];
  if (!symbol) symbol = symbol_for(*t.storage());
  return tensor_over(symbol, t.shape(), t.strides(), t.offset(), t.dtype());
}

Tensor LaunchRecorder::separate_placeholder(const Tensor& t, const Shape& shape, const Shape& strides) {
  return tensor_over(symbol_for(*t.storage()), shape, strides, t.offset(), t.dtype());
}

Ref<Storage> LaunchRecorder::symbol_for(const Storage& s) {
  Ref<Storage> symbol = Storage::allocate(s.bytes(), s.device());
  symbols_[symbol->symbol()] = graph_.add_buffer({Buffer::Input, s.bytes(), s.device(), Ref<Storage>()});
  return symbol;
}

void LaunchRecorder::take_first_value(Storage& s, BufferId buffer) {
  if (!s.symbol() || !s.data()) return;
  void* data = s.data();
  graph_.buffers[buffer].storage = Storage::adopt(
      data, s.bytes(), s.device(),
      [data, bytes = s.bytes(), type = s.device().type] { allocator(type).deallocate(data, bytes); });
  s.rebind(nullptr);
}

View LaunchRecorder::view(const Tensor& t) {
  if (!t.defined()) return {};
  return {buffer_of(t), t.dtype(), t.offset(), t.shape(), t.strides()};
}

BufferId LaunchRecorder::buffer_of(const Tensor& t) {
  const Ref<Storage>& s = t.storage();
  if (!s->symbol()) {
    auto [at, made] = storages_.try_emplace(s.get(), kNone);
    if (made) at->second = graph_.add_buffer({Buffer::Input, s->bytes(), s->device(), s});
    return at->second;
  }
  auto [at, made] = symbols_.try_emplace(s->symbol(), kNone);
  if (made) {
    const bool constant = s->has_memory() && s->bytes();
    const bool from_outside = !constant && s->bytes() && s->symbol() < first_symbol_;
    if (from_outside && !nested_)
      throw TraceError(
          "the function uses a tensor that an earlier trace has left where the compiler does not look; keep "
          "it in an attribute of a module, a list or a dict, or compute it outside of compiled functions");
    const Buffer::Kind kind = constant ? Buffer::Constant : from_outside ? Buffer::Input : Buffer::Local;
    at->second =
        graph_.add_buffer({kind, s->bytes(), s->device(), kind == Buffer::Local ? Ref<Storage>() : s});
  }
  return at->second;
}

}  // namespace mlx::jit
