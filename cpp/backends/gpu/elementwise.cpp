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
  const size_t at = round_up(numbers_.size(), alignment(as));
  numbers_.resize(at + item_size(as));
  visit(as, [&](auto zero) {
    const auto element = number.to<decltype(zero)>();
    std::memcpy(&numbers_[at], &element, sizeof element);
  });
  inputs_.push_back({nullptr, {}, as, as, Source::Number, at});
}

void Elementwise::computed(DType as) {
  possible_ &= has_type(as);
  inputs_.push_back({nullptr, {}, as, as, Source::Computed, 0});
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
  // Vector loads, of which the last part of a kernel has none, ask for aligned addresses.
  for (const Operand* o : in_memory)
    flat_ &=
        finishes_ || reinterpret_cast<uintptr_t>(o->tensor->raw()) % (kVector * item_size(o->stored)) == 0;
  return possible_;
}

std::string Head::key() const {
  std::string key = str(file, ' ', function);
  for (const Definition& d : definitions) key += str(' ', d.name, '=', d.text);
  return key;
}

std::string Elementwise::key(const std::string& name) const {
  std::string key = name;
  key += flat_ ? 'f' : 's';
  key += wide_ ? 'w' : ' ';
  for (const auto* list : {&inputs_, &outputs_})
    for (const Operand& o : *list) {
      key += static_cast<char>(o.source);
      key += static_cast<char>('a' + static_cast<int>(o.stored));
      key += static_cast<char>('a' + static_cast<int>(o.computed));
    }
  return key;
}

const Kernel*& Elementwise::known(const std::string& name) const {
  static std::mutex mutex;
  static std::unordered_map<std::string, const Kernel*> kernels;
  const std::string full = key(name);
  const std::lock_guard lock(mutex);
  return kernels[full];
}

// What a kernel is given beside tensors: numbers, and the layout of the tensors.
std::string Elementwise::structs() const {
  std::string out = str("typedef ", wide_ ? "ulong" : "uint", " Index;\nstruct Numbers {\n");
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].source == Source::Number)
      out += str("  ", memory_text(inputs_[i].computed), " x", i, ";\n");
  out += str("  uint end;\n};\nstruct Places {\n  ulong count;\n  uint dims;\n  uint sizes[", kMaxDims,
             "];\n  long steps[", std::max<size_t>(steps_.size(), 1), "][", kMaxDims, "];\n};\n");
  return out;
}

// How a text reaches the operands' elements `e` (at offset a<i> or b<i>), one by one or by vectors.
struct Elementwise::Access {
  std::vector<std::string> pointers;  // declarations, as "device const float* in0"
  std::vector<std::string> names;
  std::string offsets, loads, stores;
  std::string vector_loads, from_vector, to_vector, vector_stores;
};

Elementwise::Access Elementwise::access() const {
  Access out;
  int step = 0;
  std::string starts, moves;
  auto declare = [&](const char* qualifier, const char* type, std::string name) {
    out.pointers.push_back(str("device ", qualifier, type, "* ", name));
    out.names.push_back(std::move(name));
  };
  auto offset_of = [&](char letter, size_t i) {
    if (flat_) return std::string("e");
    const std::string name = str(letter, i);
    starts += str("  long ", name, " = 0;\n");
    moves += str("    ", name, " += long(k) * places.steps[", step, "][d];\n");
    ++step;
    return name;
  };
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Operand& o = inputs_[i];
    if (o.source == Source::Computed) continue;
    const char *type = type_text(o.computed), *memory = memory_text(o.stored);
    auto load = [&](const std::string& from) {
      return str("    const ", type, " x", i, " = convert<", type, ">(", from, ");\n");
    };
    if (o.source != Source::Number) declare("const ", memory, str("in", i));
    if (o.source != Source::Memory) {
      const std::string same = load(o.source == Source::Number ? str("numbers.x", i) : str("in", i, "[0]"));
      out.loads += same, out.from_vector += same;
      continue;
    }
    out.loads += load(str("in", i, "[", offset_of('a', i), "]"));
    out.vector_loads += str("    const Vector<", memory, "> p", i, " = load_vector(in", i, " + first);\n");
    out.from_vector += "  " + load(str("p", i, "[k]"));
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Operand& o = outputs_[i];
    const char* memory = memory_text(o.stored);
    // Truth values are bytes of 0 and 1.
    const std::string value =
        str("convert<", memory, ">(", o.stored == DType::Bool ? "convert<bool>(" : "(", "y", i, "))");
    declare("", memory, str("out", i));
    out.stores += str("    out", i, "[", offset_of('b', i), "] = ", value, ";\n");
    out.to_vector += str("      q", i, "[k] = ", value, ";\n");
    out.vector_loads += str("    Vector<", memory, "> q", i, ";\n");
    out.vector_stores += str("    store_vector(out", i, " + first, q", i, ");\n");
  }
  if (!flat_)
    out.offsets = str("  Index rest = e;\n", starts,
                      "  for (int d = int(places.dims) - 1; d >= 0; --d) {\n"
                      "    const Index size = places.sizes[d];\n    const Index k = rest % size;\n"
                      "    rest /= size;\n",
                      moves, "  }\n");
  return out;
}

const Kernel* Elementwise::compile(const Arithmetic& arithmetic) const {
  const Access by = access();
  std::string text = str(kernel_text("prelude"), functions_for(arithmetic.functions), arithmetic.functions,
                         structs(), "kernel void run(");
  int slot = 0;
  for (const std::string& p : by.pointers) text += str(p, " [[buffer(", slot++, ")]], ");
  text += str("constant Numbers& numbers [[buffer(", slot, ")]], constant Places& places [[buffer(", slot + 1,
              ")]], uint3 group [[threadgroup_position_in_grid]], uint3 groups [[threadgroups_per_grid]], "
              "uint thread_index [[thread_index_in_threadgroup]]) {\n",
              "  const Index i = (Index(group.y) * groups.x + group.x) * ", kThreads, " + thread_index;\n");
  if (flat_)
    text += str("  const Index first = ", kVector, " * i;\n  if (first + ", kVector, " <= places.count) {\n",
                by.vector_loads, "    for (ushort k = 0; k < ", kVector, "; ++k) {\n", by.from_vector,
                arithmetic.statements, by.to_vector, "    }\n", by.vector_stores, "    return;\n  }\n",
                "  for (Index e = first; e < places.count; ++e) {\n", by.loads, arithmetic.statements,
                by.stores, "  }\n}\n");
  else
    text += str("  const Index e = i;\n  if (e >= places.count) return;\n", by.offsets, by.loads,
                arithmetic.statements, by.stores, "}\n");
  return runtime_.kernel(text, "run");
}

// The text of the head's file with a struct in front that finishes its elements.
const Kernel* Elementwise::compile(const Head& head, const Arithmetic& arithmetic) const {
  const Access by = access();
  std::string text(kernel_text("prelude")), members, parameters, names, values;
  if (!arithmetic.functions.empty()) text += functions_for(arithmetic.functions) + arithmetic.functions;
  size_t slot = head.arguments.size();
  for (size_t i = 0; i < by.pointers.size(); ++i) {
    members += str("  ", by.pointers[i], ";\n");
    parameters += str(by.pointers[i], " [[buffer(", slot++, ")]], ");
    names += by.names[i] + ", ";
  }
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].source == Source::Computed)
      values += str("    const ", type_text(inputs_[i].computed), " x", i, " = convert<",
                    type_text(inputs_[i].computed), ">(value);\n");
  text += str(structs(), "struct Finish {\n", members,
              "  constant Numbers& numbers;\n  constant Places& places;\n"
              "  template <typename Value>\n  void operator()(Index e, Value value) const {\n",
              by.offsets, by.loads, values, arithmetic.statements, by.stores,
              "  }\n};\n#define FINISH_PARAMETERS ", parameters, "constant Numbers& numbers [[buffer(", slot,
              ")]], constant Places& places [[buffer(", slot + 1, ")]]\n#define FINISH Finish{", names,
              "numbers, places}\n");
  // Last, since the functions may use the same words.
  for (const Definition& d : head.definitions) text += str("#define ", d.name, ' ', d.text, '\n');
  return runtime_.kernel(text += kernel_text(head.file), head.function);
}

void Elementwise::add_arguments(std::vector<Argument>& arguments) {
  layout_.count = static_cast<uint64_t>(count_);
  layout_.dims = static_cast<uint32_t>(sizes_.size());
  for (size_t d = 0; d < sizes_.size(); ++d) layout_.sizes[d] = static_cast<uint32_t>(sizes_[d]);
  for (size_t i = 0; i < steps_.size(); ++i) std::copy(steps_[i].begin(), steps_[i].end(), layout_.steps[i]);

  for (const Operand& o : inputs_)
    if (o.tensor) arguments.push_back(read(*o.tensor));
  for (const Operand& o : outputs_) arguments.push_back(write(*o.tensor));
  size_t largest = 4;
  for (const Operand& o : inputs_)
    if (o.source == Source::Number) largest = std::max(largest, alignment(o.computed));
  numbers_.resize(round_up(round_up(numbers_.size(), 4) + 4, largest));
  arguments.push_back({Argument::Bytes, numbers_.data(), numbers_.size()});
  arguments.push_back(
      {Argument::Bytes, &layout_,
       offsetof(Layout, steps) + std::max<size_t>(steps_.size(), 1) * sizeof layout_.steps[0]});
}

void Elementwise::queue(const Kernel* kernel) {
  std::vector<Argument> arguments;
  add_arguments(arguments);
  const int64_t work = flat_ ? ceil_div(count_, kVector) : count_;
  Size groups = groups_of(work, kThreads);
  if (groups.x > kMaxGroupsAcross) groups = {kMaxGroupsAcross, ceil_div(groups.x, kMaxGroupsAcross)};
  runtime_.run({op_, kernel, arguments, groups, {kThreads}});
}

void Elementwise::queue(const Kernel* kernel, const Head& head) {
  std::vector<Argument> arguments = head.arguments;
  add_arguments(arguments);
  runtime_.run({op_, kernel, arguments, head.groups, head.threads});
}

}  // namespace mlx::gpu
