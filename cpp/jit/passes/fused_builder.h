#pragma once
// Turns pointwise operations into a fused program.

#include <map>

#include "jit/facts.h"

namespace mlx::jit {

// The view with the strides of its broadcast to `shape`.
View broadcast(View v, const Shape& shape);

class FusedBuilder {
 public:
  FusedBuilder(const Graph& g, const Facts& facts) : g_(g), facts_(facts) {}

  // A Pointwise or a Copy; operations come in the order in which they run.
  void add(const Operation& op);
  // `out`, which an added operation makes, is an output of the kernel.
  void store(const View& out);

  Operation finish();
  // The reduction of `value`, which an added operation makes; its result becomes the first output.
  Operation finish_reduction(const Operation& reduce, const View& value);

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
  std::optional<Value> reduced_;
  int temporaries_ = 0;
  int64_t elements_ = 0;
};

}  // namespace mlx::jit
