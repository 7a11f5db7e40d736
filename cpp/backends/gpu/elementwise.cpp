#include "backends/gpu/elementwise.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "backends/gpu/kernel_text.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;
// Elements that a thread of a flat kernel computes, by one vector load an operand.
constexpr int64_t kVector = 4;
constexpr uint32_t kMaxGroupsAcross = 1 << 16;

// Of a number in a struct of the kernels' language, where a complex one is two floats.
size_t alignment(DType t) { return is_complex(t) ? 4 : item_size(t); }

size_t aligned(size_t at, size_t to) { return (at + to - 1) / to * to; }

}  // namespace

const char* memory_text(DType t) { return t == DType::Bool ? "uchar" : type_text(t); }

void Elementwise::input(const Tensor& t, const Shape& strides, DType as) {
  if (t.device().type == DeviceType::CPU) {
    // A number of the host's travels with the command.
    value(visit(t.dtype(), [&](auto zero) { return Scalar(*t.data<decltype(zero)>()); }), as);
    return;
  }
  possible_ &= has_type(t.dtype()) && has_type(as);
  const bool one = std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 0; });
  inputs_.push_back({&t, strides, t.dtype(), as, one ? Source::OneElement : Source::Memory, 0});
}

void Elementwise::value(const Scalar& number, DType as) {
  possible_ &= has_type(as);
  const size_t at = aligned(numbers_.size(), alignment(as));
  numbers_.resize(at + item_size(as));
  visit(as, [&](auto zero) {
    const auto element = number.to<decltype(zero)>();
    std::memcpy(&numbers_[at], &element, sizeof element);
  });
  inputs_.push_back({nullptr, {}, as, as, Source::Number, at});
}

void Elementwise::output(const Tensor& t, const Shape& strides, DType from) {
  possible_ &= has_type(t.dtype()) && has_type(from);
  outputs_.push_back({&t, strides, t.dtype(), from, Source::Memory, 0});
}

bool Elementwise::plan() {
  std::vector<const Operand*> in_memory;
  for (const auto* list : {&inputs_, &outputs_})
    for (const Operand& o : *list)
      if (o.source == Source::Memory) in_memory.push_back(&o);
  steps_.resize(in_memory.size());
  for (size_t d = 0; d < shape_.size(); ++d) {
    count_ *= shape_[d];
    if (shape_[d] == 1) continue;
    bool joins = !sizes_.empty();
    for (size_t i = 0; joins && i < in_memory.size(); ++i)
      joins = steps_[i].back() == in_memory[i]->strides[d] * shape_[d];
    if (joins)
      sizes_.back() *= shape_[d];
    else
      sizes_.push_back(shape_[d]);
    for (size_t i = 0; i < in_memory.size(); ++i) {
      if (joins)
        steps_[i].back() = in_memory[i]->strides[d];
      else
        steps_[i].push_back(in_memory[i]->strides[d]);
    }
  }
  wide_ = count_ > INT32_MAX;
  flat_ = sizes_.size() <= 1 &&
          std::all_of(steps_.begin(), steps_.end(), [](const Shape& s) { return s.empty() || s[0] == 1; });
  possible_ = sizes_.size() <= kMaxDims && in_memory.size() <= kMaxTensors &&
              std::all_of(sizes_.begin(), sizes_.end(), [](int64_t s) { return s <= UINT32_MAX; });
  // Vector loads ask for aligned addresses.
  for (const Operand* o : in_memory)
    flat_ &= reinterpret_cast<uintptr_t>(o->tensor->raw()) % (kVector * item_size(o->stored)) == 0;
  return possible_;
}

const Kernel*& Elementwise::known(const std::string& name) const {
  static std::mutex mutex;
  static std::unordered_map<std::string, const Kernel*> kernels;
  std::string key = name;
  key += flat_ ? 'f' : 's';
  key += wide_ ? 'w' : ' ';
  for (const auto* list : {&inputs_, &outputs_})
    for (const Operand& o : *list) {
      key += static_cast<char>(o.source);
      key += static_cast<char>('a' + static_cast<int>(o.stored));
      key += static_cast<char>('a' + static_cast<int>(o.computed));
    }
  const std::lock_guard lock(mutex);
  return kernels[key];
}

namespace {

// As in the kernels' text, with room for the most tensors.
struct Layout {
  uint64_t count;
  uint32_t dims;
  uint32_t sizes[Elementwise::kMaxDims];
  int64_t steps[Elementwise::kMaxTensors][Elementwise::kMaxDims];
};

// The text of a kernel, as it grows.
struct Text {
  std::string out;
  template <class... Parts>
  void line(const Parts&... parts) {
    out += str(parts..., '\n');
  }
};

}  // namespace

const Kernel* Elementwise::compile(const Arithmetic& arithmetic) const {
  Text text{std::string(kernel_text("prelude")) + functions_for(arithmetic.functions)};
  text.out += arithmetic.functions;
  text.line("typedef ", wide_ ? "ulong" : "uint", " Index;");
  text.line("struct Numbers {");
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].source == Source::Number) text.line("  ", memory_text(inputs_[i].computed), " x", i, ";");
  text.line("  uint end;\n};");
  text.line("struct Layout {\n  ulong count;\n  uint dims;\n  uint sizes[", kMaxDims, "];\n  long steps[",
            std::max<size_t>(steps_.size(), 1), "][", kMaxDims, "];\n};");

  // The parameters, and per operand how its element `e` (at offset a<i> or b<i>) is reached.
  std::string parameters, loads, vector_loads, from_vector, stores, to_vector, vector_stores, offsets;
  int slot = 0, step = 0;
  std::string moves;
  auto offset_of = [&](char letter, size_t i) {
    if (flat_) return std::string("e");
    const std::string name = str(letter, i);
    offsets += str("  long ", name, " = 0;\n");
    moves += str("    ", name, " += long(k) * layout.steps[", step, "][d];\n");
    ++step;
    return name;
  };
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Operand& o = inputs_[i];
    const char *type = type_text(o.computed), *memory = memory_text(o.stored);
    if (o.source == Source::Number) {
      const std::string load =
          str("    const ", type, " x", i, " = convert<", type, ">(numbers.x", i, ");\n");
      loads += load, from_vector += load;
      continue;
    }
    parameters += str("device const ", memory, "* in", i, " [[buffer(", slot++, ")]], ");
    if (o.source == Source::OneElement) {
      const std::string load = str("    const ", type, " x", i, " = convert<", type, ">(in", i, "[0]);\n");
      loads += load, from_vector += load;
      continue;
    }
    loads +=
        str("    const ", type, " x", i, " = convert<", type, ">(in", i, "[", offset_of('a', i), "]);\n");
    vector_loads += str("    const Vector<", memory, "> p", i, " = load_vector(in", i, " + first);\n");
    from_vector += str("      const ", type, " x", i, " = convert<", type, ">(p", i, "[k]);\n");
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Operand& o = outputs_[i];
    const char* memory = memory_text(o.stored);
    // Truth values are bytes of 0 and 1.
    const std::string value =
        str("convert<", memory, ">(", o.stored == DType::Bool ? "convert<bool>(" : "(", "y", i, "))");
    parameters += str("device ", memory, "* out", i, " [[buffer(", slot++, ")]], ");
    stores += str("    out", i, "[", offset_of('b', i), "] = ", value, ";\n");
    to_vector += str("      q", i, "[k] = ", value, ";\n");
    vector_loads += str("    Vector<", memory, "> q", i, ";\n");
    vector_stores += str("    store_vector(out", i, " + first, q", i, ");\n");
  }
  text.line("kernel void run(", parameters, "constant Numbers& numbers [[buffer(", slot,
            ")]], constant Layout& layout [[buffer(", slot + 1,
            ")]], uint3 group [[threadgroup_position_in_grid]], uint3 groups [[threadgroups_per_grid]], "
            "uint thread_index [[thread_index_in_threadgroup]]) {");
  text.line("  const Index i = (Index(group.y) * groups.x + group.x) * ", kThreads, " + thread_index;");
  if (flat_) {
    text.line("  const Index first = ", kVector, " * i;");
    text.line("  if (first + ", kVector, " <= layout.count) {\n", vector_loads, "    for (ushort k = 0; k < ",
              kVector, "; ++k) {\n", from_vector, arithmetic.statements, to_vector, "    }\n", vector_stores,
              "    return;\n  }");
    text.line("  for (Index e = first; e < layout.count; ++e) {\n", loads, arithmetic.statements, stores,
              "  }\n}");
  } else {
    text.line(
        "  if (i >= layout.count) return;\n  Index rest = i;\n", offsets,
        "  for (int d = int(layout.dims) - 1; d >= 0; --d) {\n"
        "    const Index size = layout.sizes[d];\n    const Index k = rest % size;\n    rest /= size;\n",
        moves, "  }\n", loads, arithmetic.statements, stores, "}");
  }
  return runtime_.kernel(text.out, "run");
}

void Elementwise::queue(const Kernel* kernel) {
  Layout layout;
  layout.count = static_cast<uint64_t>(count_);
  layout.dims = static_cast<uint32_t>(sizes_.size());
  for (size_t d = 0; d < sizes_.size(); ++d) layout.sizes[d] = static_cast<uint32_t>(sizes_[d]);
  for (size_t i = 0; i < steps_.size(); ++i) std::copy(steps_[i].begin(), steps_[i].end(), layout.steps[i]);

  std::vector<Argument> arguments;
  for (const Operand& o : inputs_)
    if (o.source != Source::Number) arguments.push_back(read(*o.tensor));
  for (const Operand& o : outputs_) arguments.push_back(write(*o.tensor));
  size_t largest = 4;
  for (const Operand& o : inputs_)
    if (o.source == Source::Number) largest = std::max(largest, alignment(o.computed));
  numbers_.resize(aligned(aligned(numbers_.size(), 4) + 4, largest));
  arguments.push_back({Argument::Bytes, numbers_.data(), numbers_.size()});
  arguments.push_back(
      {Argument::Bytes, &layout,
       offsetof(Layout, steps) + std::max<size_t>(steps_.size(), 1) * sizeof layout.steps[0]});
  const int64_t work = flat_ ? (count_ + kVector - 1) / kVector : count_;
  Size groups = groups_of(work, kThreads);
  if (groups.x > kMaxGroupsAcross)
    groups = {kMaxGroupsAcross, (groups.x + kMaxGroupsAcross - 1) / kMaxGroupsAcross};
  runtime_.run({op_, kernel, arguments, groups, {kThreads}});
}

}  // namespace mlx::gpu
