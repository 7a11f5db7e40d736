#pragma once
// Turns pointwise operations into a fused program.

#include <map>

#include "jit/facts.h"

namespace mlx::jit {

// The view with the strides of its broadcast to `shape`.
View broadcast(View v, const Shape& shape);

// A program with what it stores and reads, for a kernel that reads its value.
struct Chain {
  std::shared_ptr<FusedProgram> program;
  std::vector<View> outputs, inputs;
};
// Whether an operation is a chain, or a link that could be one.
bool is_chain(const Operation& op);
// The chain of an operation that makes `value`, which is read as `type`, and stored if it is kept. Its
// outputs are numbered from `first_output` on.
Chain chain_of(const Graph& g, const Facts& facts, const Operation& op, const View& value, DType type,
               bool keep, size_t first_output);

class FusedBuilder {
 public:
  FusedBuilder(const Graph& g, const Facts& facts) : g_(g), facts_(facts) {}

  // A Pointwise or a Copy; operations come in the order in which they run.
  void add(const Operation& op);
  // `out`, which an added operation makes, is an output of the kernel.
  void store(const View& out);

  Operation finish();
  // For a kernel that reads `value`, which an added operation makes.
  Chain finish(const View& value, DType type, size_t first_output);

 private:
  // Temporaries until finish() numbers the registers: inputs, constants and results are counted apart.
  struct Register {
    enum Kind : uint8_t { Input, Constant, Temporary } kind;
    int number;
    friend auto operator<=>(const Register&, const Register&) = default;
  };
  struct Value {
    Register at;
    DType type;
  };
  struct Step {
    FusedProgram::Step step;
    std::vector<Register> arguments;
    int result;
  };

  Value read(const View& v, const Shape& shape, DType as);
  Value constant(const Scalar& value, DType type);
  Value converted(Value v, DType to);
  int new_temporary() { return temporaries_++; }
  std::shared_ptr<FusedProgram> program();
  void number_registers(FusedProgram& p);

  const Graph& g_;
  const Facts& facts_;
  std::vector<View> inputs_;
  std::vector<DType> input_types_;
  std::vector<FusedProgram::Constant> constants_;
  std::vector<Step> steps_;
  std::map<BufferId, Value> made_;
  std::map<std::pair<Register, DType>, Value> conversions_;
  std::vector<View> outputs_;
  std::vector<Value> stored_;
  std::optional<Value> value_;
  size_t first_output_ = 0;
  int temporaries_ = 0;
  int64_t elements_ = 0;
};

}  // namespace mlx::jit
