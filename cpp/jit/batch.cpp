#include "jit/batch.h"

#include <algorithm>
#include <utility>

namespace mlx::jit {
namespace {

// How a kernel is launched for many samples.
enum class Rule {
  Broadcast,  // with a dimension in front of those that shorter operands are aligned with
  Leading,    // with a dimension in front
  Rows,       // with the samples' rows, in the first dimension, one after the other
  OneByOne,
};

template <class... K>
bool is_one_of(const Operation& op) {
  return ((op.kernel == kernel_number<K>()) || ...);
}

Rule rule_of(const Operation& op) {
  if (is_one_of<Pointwise, Copy, Transfer, Fill, MatMul, IndexOffsets>(op)) return Rule::Broadcast;
  if (is_one_of<Reduce, ArgReduce, Triangle, Attention, AttentionGradient, Gather, Scatter, GatherRows,
                ScatterRows>(op))
    return Rule::Leading;
  if (is_one_of<TakeAlong, AddAlong, LogSumExp, CrossEntropy, CrossEntropyGradient, Sort, TopK, Select, Mode,
                Scan, Softmax, SoftmaxGradient, LayerNorm, ChannelAffine, Convolution, MaxPool, AvgPool,
                AdaptiveAvgPool, AdaptiveMaxPool, LstmCell, LstmCellGradient>(op))
    return Rule::Rows;
  return Rule::OneByOne;
}

// Of a kernel over rows: whether an input consists of rows. The others serve all of them.
bool has_rows(const Operation& op, size_t input) {
  if (op.as<GatherRows>()) return input == 1;
  return input == 0 || !is_one_of<MatMul, LayerNorm, ChannelAffine, Convolution>(op);
}

// The kernel, with its dimensions counted behind the new one.
template <class K>
Operation shifted(const Operation& op, auto K::* dimension) {
  K kernel = *op.as<K>();
  ++(kernel.*dimension);
  return make_operation(kernel, op.outputs, op.inputs);
}

Operation behind_batch(const Operation& op) {
  if (op.as<Gather>()) return shifted(op, &Gather::dim);
  if (op.as<Scatter>()) return shifted(op, &Scatter::dim);
  if (op.as<GatherRows>()) return shifted(op, &GatherRows::before);
  if (op.as<ScatterRows>()) return shifted(op, &ScatterRows::before);
  return op;
}

// Gives each view of the operation to `tensor` and launches it on what that returns.
template <class F>
void launch_on(const Operation& op, F&& tensor) {
  TensorList operands;
  for (const View& v : op.outputs) operands.push_back(tensor(v));
  for (const View& v : op.inputs) operands.push_back(tensor(v));
  std::vector<const Tensor*> pointers;
  for (const Tensor& t : operands) pointers.push_back(&t);
  const std::span<const Tensor* const> all(pointers);
  launch({op.kernel, op.params.data(), op.params.size() * sizeof(uint64_t), all.first(op.outputs.size()),
          all.subspan(op.outputs.size())});
}

Tensor contiguous_copy(const Tensor& t) {
  Tensor out = allocate(t.shape(), t.dtype(), t.device());
  launch(Copy{}, {&out}, {&t});
  return out;
}

// A tensor without gaps whose first two dimensions are one.
Tensor merged(const Tensor& t) {
  Shape shape = t.shape();
  shape[1] *= shape[0];
  shape.erase(0);
  return view_of(t, shape, contiguous_strides(shape), t.offset());
}

class BatchRun {
 public:
  BatchRun(const Graph& graph, int64_t samples,
           const std::vector<std::pair<BufferId, SampleMemory>>& arguments)
      : graph_(graph), samples_(samples), memory_(graph.buffers.size()) {
    for (size_t b = 0; b < memory_.size(); ++b) memory_[b].storage = graph.buffers[b].storage;
    for (const auto& [buffer, memory] : arguments) memory_[buffer] = memory;
  }

  void run(const std::vector<View>& results) {
    const size_t count = graph_.operations.size();
    std::vector<size_t> last(memory_.size());
    for (size_t i = 0; i < count; ++i)
      for_uses(graph_.operations[i], [&](const View& v) { last[v.buffer] = i; });
    for (const View& v : results) last[v.buffer] = count;
    for (size_t i = 0; i < count; ++i) {
      run(graph_.operations[i]);
      for_uses(graph_.operations[i], [&](const View& v) {
        if (last[v.buffer] == i) memory_[v.buffer].storage = {};
      });
    }
  }

  Tensor result(const View& v) {
    hold(v);
    const Tensor all = batch(v, v.shape.size());
    return graph_.buffers[v.buffer].kind == Buffer::Local && is_own(v) ? all : contiguous_copy(all);
  }

 private:
  template <class F>
  static void for_uses(const Operation& op, F&& f) {
    for_writes(op, f);
    for_reads(op, f);
  }

  // Whether each sample has elements of its own.
  bool is_own(const View& v) const { return v.defined() && memory_[v.buffer].stride; }

  void run(const Operation& op) {
    bool own = false;
    for_uses(op, [&](const View& v) { own |= is_own(v); });
    if (own) for_writes(op, [&](const View& v) { make_own(v); });
    for_uses(op, [&](const View& v) { hold(v); });
    if (!own) return launch_on(op, [&](const View& v) { return shared(v); });
    if (samples_) run_on_samples(op);
  }

  void run_on_samples(const Operation& op) {
    const Rule rule = has_own_numbers(op) ? Rule::OneByOne : rule_of(op);
    const bool in_rows = rule == Rule::Rows || (op.as<MatMul>() && has_shared_right_side(op)) ||
                         (op.as<GatherRows>() && is_own(op.inputs[1]));
    if (in_rows && consists_of_rows(op)) return run_in_rows(op);
    if (rule == Rule::Broadcast) return run_broadcast(op);
    if (rule == Rule::Leading && !has_own_offsets(op)) return run_leading(op);
    for (int64_t i = 0; i < samples_; ++i) launch_on(op, [&](const View& v) { return sample(v, i); });
  }

  void run_broadcast(const Operation& op) {
    const size_t dims = op.outputs[0].shape.size();
    const bool is_product = op.as<MatMul>();  // whose matrices must be as many as the results
    launch_on(op, [&](const View& v) {
      return is_own(v) || (is_product && v.shape.size() == dims) ? batch(v, dims) : shared(v);
    });
  }

  void run_leading(const Operation& op) {
    launch_on(behind_batch(op), [&](const View& v) { return batch(v, v.shape.size()); });
  }

  void run_in_rows(const Operation& op) {
    size_t place = 0;
    launch_on(op, [&](const View& v) {
      const size_t at = place++;
      const bool rows = at < op.outputs.size() || has_rows(op, at - op.outputs.size());
      if (!v.defined() || !rows) return shared(v);
      const Tensor all = batch(v, v.shape.size());
      return merged(all.is_contiguous() ? all : contiguous_copy(all));
    });
  }

  // Whether the samples' rows can follow each other, with one set of parameters for all.
  bool consists_of_rows(const Operation& op) const {
    if (const auto* c = op.as<Convolution>(); c && c->kind == Convolution::WeightGrad) return false;
    if (const auto* g = op.as<GatherRows>(); g && (g->before || is_own(op.inputs[0]))) return false;
    for (const View& v : op.outputs)
      if (v.defined() && (v.shape.empty() || !batch(v, v.shape.size()).is_contiguous())) return false;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const View& v = op.inputs[i];
      if (v.defined() && (has_rows(op, i) ? v.shape.empty() : is_own(v))) return false;
    }
    return true;
  }

  // Of a product of two matrices, the right one the same for all samples, and the rows of the addend too.
  bool has_shared_right_side(const Operation& op) const {
    if (op.outputs[0].shape.size() != 2 || is_own(op.inputs[1])) return false;
    if (op.inputs.size() < 3) return true;
    const Shape& addend = op.inputs[2].shape;
    return addend.size() < 2 || addend[0] == 1;
  }

  // Offsets count from where a tensor starts, which differs from sample to sample.
  bool has_own_offsets(const Operation& op) const {
    if (op.as<GatherRows>()) return is_own(op.inputs[1]);
    return op.as<ScatterRows>() && is_own(op.inputs[0]);
  }

  // Numbers may come from the CPU, but not a batch of them.
  bool has_own_numbers(const Operation& op) const {
    const Device device = graph_.buffers[(op.outputs.empty() ? op.inputs : op.outputs)[0].buffer].device;
    return std::any_of(op.inputs.begin(), op.inputs.end(), [&](const View& v) {
      return is_own(v) && v.shape.empty() && graph_.buffers[v.buffer].device != device;
    });
  }

  void hold(const View& v) {
    const Buffer& b = graph_.buffers[v.buffer];
    if (!memory_[v.buffer].storage) memory_[v.buffer].storage = Storage::allocate(b.bytes, b.device);
  }

  // Gives each sample a copy of a buffer that they share so far.
  void make_own(const View& v) {
    const Buffer& b = graph_.buffers[v.buffer];
    SampleMemory& memory = memory_[v.buffer];
    if (memory.stride) return;
    if (b.kind == Buffer::Input)
      throw TraceError("vmap: a sample writes in place to a tensor that all samples share");
    const int64_t bytes = static_cast<int64_t>(b.bytes);
    SampleMemory own{Storage::allocate(b.bytes * static_cast<size_t>(samples_), b.device), bytes};
    if (memory.storage && samples_ && bytes) {
      const Tensor copies = tensor_over(own.storage, {samples_, bytes}, {bytes, 1}, 0, DType::UInt8);
      const Tensor first = tensor_over(memory.storage, {bytes}, {1}, 0, DType::UInt8);
      launch(Copy{}, {&copies}, {&first});
    }
    memory = std::move(own);
  }

  int64_t elements_between_samples(const View& v) const {
    const int64_t stride = memory_[v.buffer].stride, item = static_cast<int64_t>(item_size(v.dtype));
    if (stride % item) throw TraceError("vmap: samples do not lie a number of elements apart");
    return stride / item;
  }

  Tensor shared(const View& v) const {
    return v.defined() ? tensor_over(memory_[v.buffer].storage, v.shape, v.strides, v.offset, v.dtype)
                       : Tensor();
  }

  Tensor sample(const View& v, int64_t i) const {
    if (!is_own(v)) return shared(v);
    return tensor_over(memory_[v.buffer].storage, v.shape, v.strides,
                       v.offset + i * elements_between_samples(v), v.dtype);
  }

  // All samples, in one dimension in front of `dims` others.
  Tensor batch(const View& v, size_t dims) const {
    if (!v.defined()) return {};
    Shape shape = v.shape, strides = v.strides;
    for (; shape.size() < dims; shape.insert(0, 1)) strides.insert(0, 0);
    shape.insert(0, samples_);
    strides.insert(0, elements_between_samples(v));
    return tensor_over(memory_[v.buffer].storage, shape, strides, v.offset, v.dtype);
  }

  const Graph& graph_;
  const int64_t samples_;
  std::vector<SampleMemory> memory_;  // of each buffer, while it is needed
};

}  // namespace

void BatchTrace::start() {
  first_node_ = next_node();
  outer_recorder_ = Recorder::current();
  outer_grads_ = std::exchange(GradLog::current, &grads_);
  Recorder::set_current(&recorder_);
  active_ = true;
}

void BatchTrace::stop() {
  if (!active_) return;
  active_ = false;
  Recorder::set_current(outer_recorder_);
  GradLog::current = outer_grads_;
}

Tensor BatchTrace::placeholder(const Tensor& t, std::optional<int64_t> dim) {
  Shape shape = t.shape(), strides = t.strides();
  SampleMemory memory{t.storage(), 0};
  if (dim) {
    const size_t at = static_cast<size_t>(*dim);
    memory.stride = strides[at] * static_cast<int64_t>(item_size(t.dtype()));
    shape.erase(at);
    strides.erase(at);
  }
  const Tensor symbol = recorder_.separate_placeholder(t, shape, strides);
  arguments_.push_back({recorder_.view(symbol).buffer, std::move(memory)});
  return symbol;
}

bool BatchTrace::draws() const {
  const auto& operations = recorder_.graph().operations;
  return std::any_of(operations.begin(), operations.end(),
                     [](const Operation& op) { return op.traits().random; });
}

TensorList BatchTrace::run(const TensorList& results) {
  std::vector<View> views;
  for (const Tensor& t : results) views.push_back(recorder_.view(t));
  BatchRun all(recorder_.graph(), samples_, arguments_);
  all.run(views);
  for (const Operation& op : recorder_.graph().operations)
    for_writes(op, [&](const View& v) {
      for (const auto& [buffer, memory] : arguments_)
        if (buffer == v.buffer) memory.storage->bump_version();
    });
  TensorList out;
  for (const View& v : views) out.push_back(all.result(v));
  return out;
}

}  // namespace mlx::jit
