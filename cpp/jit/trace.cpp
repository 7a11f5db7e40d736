#include "jit/trace.h"

#include <algorithm>

#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

// Numbers the buffers that the operations, arguments and results name from 0 on, and forgets the others.
class Compaction {
 public:
  explicit Compaction(const Graph& whole) : whole_(whole), number_(whole.buffers.size(), kNone) {}

  BufferId operator()(BufferId b) {
    if (number_[b] == kNone) number_[b] = graph.add_buffer(whole_.buffers[b]);
    return number_[b];
  }
  void add(Operation op) {
    for (auto* views : {&op.outputs, &op.inputs})
      for (View& v : *views)
        if (v.defined()) v.buffer = (*this)(v.buffer);
    graph.operations.push_back(std::move(op));
  }

  Graph graph;

 private:
  const Graph& whole_;
  std::vector<BufferId> number_;
};

}  // namespace

Trace::Trace(std::vector<Ref<Generator>> generators) {
  for (Ref<Generator>& g : generators) generators_.push_back({g, g->seed(), g->position(), g->resets()});
}

void Trace::start() {
  if (Recorder::current()) throw RuntimeError("a trace is already running on this thread");
  first_node_ = next_node();
  Recorder::set_current(&recorder_);
  GradLog::current = &grads_;
  active_ = true;
}

// Leaves the generators where they were before: the program will draw the numbers.
void Trace::stop() {
  if (!active_) return;
  active_ = false;
  Recorder::set_current(nullptr);
  GradLog::current = nullptr;
  for (GeneratorState& g : generators_) {
    g.end_seed = g.generator->seed();
    g.end_position = g.generator->position();
    g.reset = g.generator->resets() != g.resets;
    g.generator->set(g.seed, g.position);
  }
}

Tensor Trace::placeholder(const Tensor& t) { return recorder_.placeholder(t); }

std::vector<BufferId> Trace::externals() const {
  std::vector<BufferId> out;
  const Graph& g = recorder_.graph();
  for (size_t b = 0; b < g.buffers.size(); ++b)
    if (g.buffers[b].kind == Buffer::Input && g.buffers[b].storage) out.push_back(static_cast<BufferId>(b));
  return out;
}

std::vector<BufferId> Trace::carried_over(size_t mark) const {
  const Graph& g = recorder_.graph();
  std::vector<bool> made(g.buffers.size());
  std::vector<BufferId> out;
  for (size_t i = 0; i < g.operations.size(); ++i) {
    auto use = [&](const View& v) {
      if (!made[v.buffer] || std::find(out.begin(), out.end(), v.buffer) != out.end()) return;
      out.push_back(v.buffer);
    };
    if (i < mark) {
      for_writes(g.operations[i],
                 [&](const View& v) { made[v.buffer] = g.buffers[v.buffer].kind == Buffer::Local; });
    } else {
      for_reads(g.operations[i], use);
      for_writes(g.operations[i], use);
    }
  }
  return out;
}

View Trace::bytes_of(BufferId b) const {
  const int64_t n = static_cast<int64_t>(recorder_.graph().buffers[b].bytes);
  return {b, DType::UInt8, 0, {n}, {1}};
}

void Trace::assign_generator(Operation& op) const {
  if (!op.traits().random) return;
  uint64_t& position = op.params[1];
  const uint64_t seed = op.params[0];
  for (size_t i = 0; i < generators_.size(); ++i) {
    const GeneratorState& g = generators_[i];
    if (g.reset && seed == g.end_seed && position < g.end_position) return;  // the same numbers in each call
    if (seed != g.seed || position < g.position || (!g.reset && position >= g.end_position)) continue;
    op.generator = static_cast<int>(i);
    position -= g.position;
    return;
  }
  throw TraceError(
      op.traits().name,
      ": random numbers come from a Generator that the compiled function does not reach by name; "
      "pass it as an argument, or use the default one");
}

Compiled Trace::compile(size_t begin, size_t end, const std::vector<BufferId>& arguments,
                        const std::vector<View>& results) const {
  const Graph& whole = recorder_.graph();
  Compaction number(whole);
  for (size_t i = begin; i < end; ++i) {
    Operation op = whole.operations[i];
    assign_generator(op);
    number.add(std::move(op));
  }
  std::vector<BufferId> inputs;
  for (BufferId b : arguments) {
    inputs.push_back(number(b));
    number.graph.buffers[inputs.back()].kind = Buffer::Input;
  }
  Compiled out;
  out.fixed.resize(inputs.size());
  for (BufferId b : externals()) {
    inputs.push_back(number(b));
    out.fixed.push_back(std::exchange(number.graph.buffers[inputs.back()].storage, {}));
  }
  Graph& g = number.graph;
  for (View v : results) {
    const BufferId b = number(v.buffer);
    auto at = std::find(g.results.begin(), g.results.end(), b);
    v.buffer = static_cast<BufferId>(at - g.results.begin());
    if (at == g.results.end()) g.results.push_back(b);
    out.results.push_back(std::move(v));
  }
  for (const GeneratorState& s : generators_)
    out.streams.push_back(
        {s.generator, s.reset,
         s.reset ? DrawStart{s.end_seed, s.end_position} : DrawStart{0, s.end_position - s.position}});
  optimise(g);
  out.program = std::make_unique<Program>(std::move(g), std::move(inputs));
  return out;
}

void Compiled::forget_external(const std::vector<int>& numbers) {
  const size_t first = fixed.size() - numbers.size();
  for (size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] >= 0) fixed[first + i].reset();
}

std::vector<DrawStart> Compiled::starts() const {
  std::vector<DrawStart> out;
  for (const Stream& s : streams) out.push_back({s.generator->seed(), s.generator->position()});
  return out;
}

TensorList Compiled::run(std::vector<Ref<Storage>> inputs, const std::vector<DrawStart>* given) const {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i]) inputs[i] = fixed[i];
  const std::vector<DrawStart> now = given ? *given : starts();
  if (!given)
    for (const Stream& s : streams) {
      if (s.reset)
        s.generator->set(s.end.seed, s.end.position);
      else
        s.generator->take(s.end.position);
    }
  std::vector<Ref<Storage>> storages = program->run(inputs, now);
  TensorList out;
  for (const View& v : results)
    out.push_back(tensor_over(storages[v.buffer], v.shape, v.strides, v.offset, v.dtype));
  return out;
}

}  // namespace mlx::jit
