#include "backends/cpu/fused.h"

#include <cstring>
#include <type_traits>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/vector_kernels.h"

namespace mlx::cpu {
namespace {

void fill(void* tile, const Scalar& value, DType type) {
  visit(type, [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(static_cast<T*>(tile), kTile, value.to<T>());
  });
}

}  // namespace

FusedOperands::FusedOperands(const FusedProgram& p, std::span<const Tensor* const> out,
                             std::span<const Tensor* const> in)
    : program(p) {
  for (const Tensor* t : in) inputs.emplace_back(*t, t->shape(), t->strides());
  for (const Tensor* t : out) outputs.emplace_back(*t, t->shape(), t->strides());
}

FusedTiles::FusedTiles(const FusedOperands& operands)
    : operands_(operands), program_(operands.program), registers_(program_.registers) {
  const size_t inputs = program_.inputs.size(), count = static_cast<size_t>(program_.registers);
  for (size_t i = operands.computed; i < inputs; ++i)
    readers_.emplace_back(operands.inputs[i - operands.computed], program_.inputs[i]);
  for (const FusedProgram::Store& s : program_.stores)
    if (!is_in_place(s)) stores_.push_back(&s);
  memory_.reset(new Tile[count - inputs + stores_.size() + 1]);
  auto keep = [&](int16_t r) {
    if (r >= 0 && static_cast<size_t>(r) < inputs)
      kept_.emplace_back(r, &memory_[count - inputs + kept_.size()]);
  };
  for (const FusedProgram::Store* s : stores_) keep(s->from);
  if (!stores_.empty()) keep(program_.value);
  temporaries_.resize(count);
  for (size_t r = inputs; r < count; ++r) registers_[r] = temporaries_[r] = memory_[r - inputs].data;
  for (size_t c = 0; c < program_.constants.size(); ++c)
    fill(temporaries_[inputs + c], program_.constants[c].value, program_.constants[c].type);
  if (program_.steps.empty()) return;
  for (const FusedProgram::Store* s : stores_)
    if (s->from == program_.steps.back().result) last_ = s;
}

// Whether the store would write an input where it lies.
bool FusedTiles::is_in_place(const FusedProgram::Store& s) const {
  if (static_cast<size_t>(s.from) >= program_.inputs.size()) return false;
  const Layout& out = operands_.outputs[s.output];
  if (operands_.computed && s.from == 0) return operands_.computed_at == out.data;
  const Layout& in = operands_.inputs[s.from - operands_.computed];
  return in.contiguous && in.dtype == s.type && in.data == out.data;
}

char* FusedTiles::address(const FusedProgram::Store& s, int64_t start) const {
  return operands_.outputs[s.output].data + start * static_cast<int64_t>(item_size(s.type));
}

void FusedTiles::prefetch(int64_t start, int64_t n) const {
  constexpr int64_t kLine = 64, kIntoSecondLevel = 2;
  for (const Layout& l : operands_.inputs) {
    if (!l.contiguous || l.constant) continue;
    const int64_t item = static_cast<int64_t>(item_size(l.dtype));
    for (int64_t at = 0; at < n * item; at += kLine)
      __builtin_prefetch(l.data + start * item + at, 0, kIntoSecondLevel);
  }
}

void FusedTiles::run(int64_t start, int64_t n, const void* computed) {
  if (computed) registers_[0] = computed;
  for (size_t i = 0; i < readers_.size(); ++i)
    registers_[i + operands_.computed] = readers_[i].read(start, n);
  for (const auto& [input, tile] : kept_) {
    std::memcpy(tile, registers_[input], static_cast<size_t>(n) * item_size(program_.inputs[input]));
    registers_[input] = tile;
  }
  const VectorKernels& kernels = vector_kernels();
  for (const FusedProgram::Step& s : program_.steps) {
    const bool direct = last_ && &s == &program_.steps.back();
    void* result = direct ? address(*last_, start) : temporaries_[s.result];
    if (s.kind == FusedProgram::Step::Convert) {
      convert(s.from, s.to, registers_[s.arguments[0]], result, n);
    } else {
      const void* arguments[std::extent_v<decltype(s.arguments)>];
      for (int a = 0; a < s.argument_count; ++a) arguments[a] = registers_[s.arguments[a]];
      kernels.pointwise(s.formula, compute_index(s.from)).kernel(arguments, result, n);
    }
    registers_[s.result] = result;
  }
  // At the end only: an output may lie where an input was.
  for (const FusedProgram::Store* s : stores_)
    if (s != last_)
      std::memcpy(address(*s, start), registers_[s->from], static_cast<size_t>(n) * item_size(s->type));
}

namespace {

void fused(const Fused& k, const Launch& launch) {
  const FusedProgram& p = *k.program;
  const FusedOperands operands(p, launch.outputs, launch.inputs);
  const int64_t work = static_cast<int64_t>(p.steps.size()) + 1;
  const int64_t grain = std::max<int64_t>(4, 64 / work) * kTile;
  TileCuts cuts;
  for (const Layout& l : operands.inputs) cuts.add(l);
  parallel_for(0, p.elements, grain, [&](int64_t begin, int64_t end) {
    FusedTiles tiles(operands);
    for (int64_t at = begin, n = 0; at < end; at += n) {
      n = cuts.length(at, end);
      tiles.run(at, n);
    }
  });
}

CPU_KERNEL(Fused, fused);

}  // namespace
}  // namespace mlx::cpu
