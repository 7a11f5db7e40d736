// The tape and the engine, without Python.

#include <gtest/gtest.h>

#include "autograd/engine.h"
#include "ops.h"
#include "tape/record.h"

namespace mlx {
namespace {

Tensor leaf(double value) {
  Tensor t = full({2}, value);
  set_requires_grad(t, true);
  return t;
}

double first(const Tensor& t) { return item(select(t, 0, 0)).to_double(); }

TEST(Autograd, ProductRule) {
  Tensor x = leaf(3), y = leaf(5);
  run_backward({x * y}, {}, {}, {});
  EXPECT_EQ(first(autograd_meta(x).grad), 5);
  EXPECT_EQ(first(autograd_meta(y).grad), 3);
}

TEST(Autograd, GradientsAccumulate) {
  Tensor x = leaf(3);
  run_backward({x * 2}, {}, {}, {});
  run_backward({x * 2}, {}, {}, {});
  EXPECT_EQ(first(autograd_meta(x).grad), 4);
}

TEST(Autograd, BroadcastingIsUndone) {
  Tensor x = leaf(3), wide = ones({4, 2});
  run_backward({x * wide}, {}, {}, {});
  EXPECT_EQ(autograd_meta(x).grad.shape(), (Shape{2}));
  EXPECT_EQ(first(autograd_meta(x).grad), 4);
}

TEST(Autograd, SecondDerivative) {
  Tensor x = leaf(3);
  Tensor g = gradients({x * x * x}, {}, {x}, {.retain_graph = true, .create_graph = true})[0];
  EXPECT_EQ(first(g), 27);
  EXPECT_EQ(first(gradients({g}, {}, {x}, {})[0]), 18);
}

TEST(Autograd, ARuleIsAskedForTheGradientsThatAreWanted) {
  Tensor x = leaf(3), y = leaf(5);
  std::vector<bool> needed;
  const auto probe = [&] {
    return record("Probe", full({2}, 1.0), {&x, &y}, [&](Backward& b) -> Grads {
      needed = {b.needs(0), b.needs(1)};
      return {b.grad(), b.needs(1) ? b.grad() : Tensor()};
    });
  };
  gradients({probe()}, {}, {x}, {});
  EXPECT_EQ(needed, (std::vector<bool>{true, false}));
  gradients({probe() + y}, {}, {y}, {});
  EXPECT_EQ(needed, (std::vector<bool>{false, true}));
  run_backward({probe()}, {}, {}, {});
  EXPECT_EQ(needed, (std::vector<bool>{true, true}));
}

TEST(Autograd, AGraphIsFreedByItsFirstPass) {
  Tensor x = leaf(3), y = x * x;
  run_backward({y}, {}, {}, {});
  EXPECT_THROW(run_backward({y}, {}, {}, {}), RuntimeError);
}

TEST(Autograd, AChangedSavedTensorIsFound) {
  Tensor x = leaf(3), y = x * 2, z = y * y;
  fill_(detach(y), 0);
  EXPECT_THROW(run_backward({z}, {}, {}, {}), RuntimeError);
}

TEST(Autograd, WritingIntoAViewChangesTheBase) {
  Tensor x = leaf(3), y = x * 1;
  mul_(select(y, 0, 0), wrapped_number(10));
  run_backward({y}, {}, {}, {});
  EXPECT_EQ(first(autograd_meta(x).grad), 10);
  EXPECT_EQ(item(select(autograd_meta(x).grad, 0, 1)).to_double(), 1);
}

TEST(Autograd, LongChainsNeedNoStack) {
  Tensor x = leaf(0), y = x;
  for (int i = 0; i < 200000; ++i) y = y + 1;
  run_backward({y}, {}, {}, {});
  EXPECT_EQ(first(autograd_meta(x).grad), 1);
}

TEST(Pointwise, MixedDtypesStridesAndBroadcasting) {
  Tensor a = to(arange(6), DType::Float64, false, false), b = arange(3);
  Tensor sum = add(transpose(view(a, {3, 2}), 0, 1), b);
  EXPECT_EQ(sum.dtype(), DType::Float64);
  EXPECT_EQ(item(select(select(sum, 0, 1), 0, 2)).to_double(), 7);
}

TEST(Pointwise, InPlaceOverOverlappingMemoryReadsFirst) {
  Tensor a = arange(5);
  add_(slice(a, 0, 1, 5, 1), slice(a, 0, 0, 4, 1));
  for (int i = 1; i < 5; ++i) EXPECT_EQ(item(select(a, 0, i)).to_int(), 2 * i - 1);
}

}  // namespace
}  // namespace mlx
