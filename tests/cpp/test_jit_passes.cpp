// Each pass of the compiler on a graph of a few operations, and programs that run.

#include <gtest/gtest.h>

#include "jit/passes/passes.h"
#include "jit/recorder.h"
#include "ops.h"

namespace mlx::jit {
namespace {

// Records what a function launches, and hands out the graph with its result.
class PassTest : public ::testing::Test {
 protected:
  void SetUp() override { Recorder::set_current(&recorder_); }
  void TearDown() override { Recorder::set_current(nullptr); }

  Tensor input(const Shape& shape) {
    Recorder::set_current(nullptr);
    inputs_.push_back(zeros(shape, DType::Float32));
    Recorder::set_current(&recorder_);
    return recorder_.placeholder(inputs_.back());
  }
  Graph& finish(const TensorList& results) {
    for (const Tensor& t : results) recorder_.graph().results.push_back(recorder_.view(t).buffer);
    Recorder::set_current(nullptr);
    return recorder_.graph();
  }
  static std::vector<std::string> names(const Graph& g) {
    std::vector<std::string> out;
    for (const Operation& op : g.operations) {
      const auto* k = op.as<Pointwise>();
      out.push_back(k ? name(k->formula) : op.traits().name);
    }
    return out;
  }

  LaunchRecorder recorder_;
  TensorList inputs_;
};

using Names = std::vector<std::string>;

TEST_F(PassTest, SingleAssignmentGivesOverwritingABufferOfItsOwn) {
  Tensor x = input({4});
  Tensor y = exp(x);
  exp_(y);
  Graph& g = finish({y});
  const BufferId before = g.operations[1].outputs[0].buffer;
  EXPECT_EQ(before, g.operations[0].outputs[0].buffer);
  single_assignment(g);
  EXPECT_NE(g.operations[1].outputs[0].buffer, g.operations[0].outputs[0].buffer);
  EXPECT_EQ(g.results[0], g.operations[1].outputs[0].buffer);
}

TEST_F(PassTest, SingleAssignmentWritesInputsBackAtTheEnd) {
  Tensor x = input({4});
  exp_(x);
  Tensor y = neg(x);
  Graph& g = finish({y});
  single_assignment(g);
  EXPECT_EQ(names(g), (Names{"exp", "neg", "copy"}));
  EXPECT_EQ(g.buffers[g.operations[2].outputs[0].buffer].kind, Buffer::Input);
}

TEST_F(PassTest, DeadCodeGoes) {
  Tensor x = input({4});
  Tensor unused = exp(neg(x));
  Tensor y = sin(x);
  Graph& g = finish({y});
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"sin"}));
}

TEST_F(PassTest, WhatDependsOnConstantsAloneIsComputedOnce) {
  Tensor x = input({2, 2});
  Tensor mask = tril(ones({2, 2}, DType::Float32), 0);
  Tensor y = x * exp(mask);
  Graph& g = finish({y});
  fold_constants(g);
  EXPECT_EQ(names(g), (Names{"mul"}));
  const float* p = static_cast<const float*>(g.buffers[g.operations[0].inputs[1].buffer].storage->data());
  EXPECT_FLOAT_EQ(p[0], std::exp(1.0f));
  EXPECT_FLOAT_EQ(p[1], 1.0f);
}

TEST_F(PassTest, CommonOperationsAreShared) {
  Tensor x = input({4});
  Tensor y = exp(x) + exp(x);
  Graph& g = finish({y});
  share_common_operations(g);
  EXPECT_EQ(names(g), (Names{"exp", "add"}));
  EXPECT_EQ(g.operations[1].inputs[0], g.operations[1].inputs[1]);
}

TEST_F(PassTest, WhatAKernelAddsToIsNotDead) {  // the cell's gradient is read and written, and no result
  Tensor x = input({2, 4}), cell = zeros({2, 4}), gates = empty({2, 16});
  launch(LstmCellGradient{}, {&gates, &cell}, {&x, &x, &x, &x, &x, &x});
  Graph& g = finish({gates});
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"fill", "lstm_cell_gradient"}));
}

TEST_F(PassTest, ArithmeticThatChangesNothingGoes) {
  Tensor x = input({4});
  Tensor y = exp(x * 1 - 0);
  Graph& g = finish({y});
  simplify(g);
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"exp"}));
}

TEST_F(PassTest, ZeroIsNotDroppedFromASum) {  // -0 + 0 is 0
  Tensor x = input({4});
  Tensor y = exp(x + 0);
  Graph& g = finish({y});
  simplify(g);
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"add", "exp"}));
}

TEST_F(PassTest, CopiesAreReadThrough) {
  Tensor x = input({3, 4});
  Tensor y = exp(clone(transpose(x, 0, 1)));
  Graph& g = finish({y});
  simplify(g);
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"exp"}));
  EXPECT_EQ(g.operations[0].inputs[0].strides, (Shape{1, 4}));
}

TEST_F(PassTest, WhatChangesLaterIsReadBefore) {
  Tensor x = input({4});
  Tensor before = clone(x);
  zero_(slice(x, 0, 0, 2, 1));
  Tensor y = exp(before);
  Graph& g = finish({y});
  optimise(g);
  EXPECT_EQ(names(g), (Names{"fused", "fill"}));  // the copy is a step of the chain
}

TEST_F(PassTest, TheTransposeOfAProductIsAProduct) {
  Tensor a = input({3, 4}), b = input({4, 5});
  Tensor y = clone(transpose(matmul(a, b), 0, 1));
  Graph& g = finish({y});
  turn_transposed_products(g);
  remove_dead_code(g);
  EXPECT_EQ(names(g), (Names{"matmul"}));
  EXPECT_EQ(g.operations[0].outputs[0].shape, (Shape{5, 3}));
}

TEST_F(PassTest, AChainOfPointwiseOperationsIsOneKernel) {
  Tensor x = input({8, 4}), bias = input({4});
  Tensor y = tanh(x * 2 + bias);
  Graph& g = finish({y});
  fuse_pointwise(g);
  EXPECT_EQ(names(g), (Names{"fused"}));
  EXPECT_EQ(g.operations[0].fused->steps.size(), 3u);
  EXPECT_EQ(g.operations[0].inputs.size(), 2u);  // the number is in the program
  EXPECT_EQ(g.operations[0].inputs[1].strides, (Shape{0, 1}));
}

TEST_F(PassTest, AChainDoesNotCloseACircleThroughAnotherOperation) {
  Tensor x = input({4, 4});
  Tensor a = exp(x);
  Tensor y = a + matmul(a, a);
  Graph& g = finish({y});
  fuse_pointwise(g);
  EXPECT_EQ(names(g), (Names{"exp", "matmul", "add"}));
}

TEST_F(PassTest, ATransposedUseIsNotFused) {
  Tensor x = input({4, 4});
  Tensor a = exp(x);
  Tensor y = a + transpose(a, 0, 1);
  Graph& g = finish({y});
  fuse_pointwise(g);
  EXPECT_EQ(names(g), (Names{"exp", "add"}));
}

TEST_F(PassTest, AReductionReadsTheChain) {
  Tensor x = input({8, 4});
  Tensor y = sum(exp(x * 2), Shape{0}, false, std::nullopt);
  Graph& g = finish({y});
  fuse_pointwise(g);
  fuse_reductions(g);
  EXPECT_EQ(names(g), (Names{"fused_reduce"}));
}

TEST_F(PassTest, ASoftmaxReadsALargeChain) {
  Tensor x = input({1024, 1024}), bias = input({1024});
  Graph& g = finish({softmax(x * 2 + bias, 1, std::nullopt)});
  fuse_pointwise(g);
  fuse_rows(g);
  EXPECT_EQ(names(g), (Names{"fused_rows"}));
  EXPECT_EQ(g.operations[0].inputs.size(), 2u);
  EXPECT_EQ(g.operations[0].outputs.size(), 1u);
}

TEST_F(PassTest, AChainThatIsReadElsewhereRunsBeforeTheRows) {
  Tensor x = input({1024, 1024});
  Tensor h = exp(x);
  Graph& g = finish({softmax(h, 1, std::nullopt), matmul(transpose(h, 0, 1), h)});
  fuse_rows(g);
  EXPECT_EQ(names(g), (Names{"exp", "softmax", "matmul"}));
}

TEST_F(PassTest, RowsDoNotRunBeforeWhatTheyReadIsThere) {
  Tensor x = input({1024, 1024});
  Tensor y = exp(x), late = sum(matmul(x, x), Shape{0}, false, std::nullopt);
  Graph& g = finish({layer_norm(y, {1024}, late)});
  fuse_rows(g);
  EXPECT_EQ(names(g).front(), "exp");
}

TEST_F(PassTest, AProductEndsInTheChainThatReadsIt) {
  Tensor x = input({8, 4}), w = input({4, 5}), bias = input({5}), residual = input({8, 5});
  Tensor y = relu(addmm(bias, x, w, 1, 1)) + residual;
  Graph& g = finish({y});
  fuse_pointwise(g);
  fuse_products(g);
  EXPECT_EQ(names(g), (Names{"fused_matmul"}));
  EXPECT_EQ(g.operations[0].inputs.size(), 4u);  // the factors, the bias and the residual
  EXPECT_EQ(g.operations[0].outputs.size(), 1u);
}

TEST_F(PassTest, AProductThatIsReadElsewhereIsKept) {
  Tensor x = input({8, 4}), w = input({4, 4});
  Tensor h = matmul(x, w);
  Tensor y = matmul(transpose(tanh(h), 0, 1), h);
  Graph& g = finish({y});
  fuse_products(g);
  EXPECT_EQ(names(g), (Names{"fused_matmul", "matmul"}));
  EXPECT_EQ(g.operations[0].outputs.size(), 2u);
}

TEST_F(PassTest, AProductIsNotDelayedBeyondItsReaders) {
  Tensor x = input({4, 4});
  Tensor h = matmul(x, x);
  Tensor y = tanh(h) + matmul(h, x);
  Graph& g = finish({y});
  fuse_pointwise(g);
  fuse_products(g);
  // The sum ends the second product; the first has been read by then.
  EXPECT_EQ(names(g), (Names{"matmul", "fused_matmul"}));
}

TEST_F(PassTest, AProductDoesNotEndInWhatOverwritesItsFactors) {
  Tensor x = input({4, 4});
  relu_(copy_(x, matmul(x, x), false));
  Graph& g = finish({});
  single_assignment(g);
  fuse_pointwise(g);
  fuse_products(g);
  for (const Operation& op : g.operations)
    for (const View& v : op.inputs)
      if (op.as<FusedMatMul>()) {
        EXPECT_NE(v.buffer, op.outputs[0].buffer);
      }
}

TEST_F(PassTest, SmallBuffersThatAreNeverAliveTogetherShareMemory) {
  Tensor x = input({16, 16});
  Tensor y = x;
  for (int i = 0; i < 6; ++i) y = matmul(y, x);
  Graph& g = finish({sum(y)});
  EXPECT_LE(plan_memory(g).bytes[0], 3 * 16 * 16 * sizeof(float));
}

TEST_F(PassTest, APointwiseResultTakesThePlaceOfItsOperand) {
  Tensor x = input({64});
  Tensor y = sum(sin(exp(x)));
  Graph& g = finish({y});
  const MemoryPlan plan = plan_memory(g);
  EXPECT_EQ(plan.offsets[g.operations[0].outputs[0].buffer], plan.offsets[g.operations[1].outputs[0].buffer]);
}

TEST_F(PassTest, AResultOfTheProgramTakesThePlaceOfItsOperand) {
  Tensor x = input({64, 64});
  Graph& g = finish({sin(exp(x))});
  const MemoryPlan plan = plan_memory(g);
  ASSERT_EQ(plan.pieces.size(), 1u);
  EXPECT_EQ(plan.pieces[0].buffers.size(), 2u);
  EXPECT_EQ(plan.pieces[0].result, g.results[0]);
  EXPECT_TRUE(plan.by_last.empty());
}

TEST_F(PassTest, LargeBuffersHaveMemoryWhileTheyAreNeeded) {
  Tensor x = input({64, 64});
  Tensor early = matmul(x, x);
  Graph& g = finish({matmul(matmul(early, x), x)});
  const MemoryPlan plan = plan_memory(g);
  ASSERT_EQ(plan.pieces.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(plan.pieces[static_cast<size_t>(i)].first, i);
  EXPECT_EQ(plan.pieces[0].last, 1);
  EXPECT_EQ(plan.pieces[1].last, 2);
  EXPECT_EQ(plan.pieces[2].result, g.results[0]);
  EXPECT_EQ(plan.by_last, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(plan.bytes[0], 0u);
}

TEST_F(PassTest, AProgramRuns) {
  Tensor x = input({3, 2});
  Tensor y = sum(x * 2 + 1, Shape{1}, false, std::nullopt);
  Graph g = finish({y});
  const BufferId in = 0;
  ASSERT_EQ(g.buffers[in].kind, Buffer::Input);
  optimise(g);
  Program program(std::move(g), {in});
  for (float value : {1.0f, 5.0f}) {
    Tensor t = full({3, 2}, Scalar(value), DType::Float32);
    const Ref<Storage> inputs[] = {t.storage()};
    auto results = program.run(inputs, {});
    EXPECT_FLOAT_EQ(static_cast<const float*>(results[0]->data())[2], 2 * (2 * value + 1));
  }
}

}  // namespace
}  // namespace mlx::jit
