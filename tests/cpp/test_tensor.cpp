// Layout: shapes, strides, views, promotion.

#include <gtest/gtest.h>

#include "tensor/tensor.h"

namespace mlx {
namespace {

TEST(Layout, ContiguousStridesCountFromTheInside) {
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Shape{12, 4, 1}));
}

TEST(Layout, SizeOneDimensionsMayHaveAnyStride) {
  EXPECT_TRUE(is_contiguous({2, 1, 3}, {3, 77, 1}));
  EXPECT_FALSE(is_contiguous({2, 3}, {1, 2}));
}

TEST(Layout, EmptyTensorsAreContiguous) { EXPECT_TRUE(is_contiguous({2, 0}, {9, 9})); }

TEST(Layout, ViewStridesCutContiguousRuns) {
  Shape out;
  ASSERT_TRUE(view_strides({2, 3, 4}, {24, 4, 1}, {2, 12}, out));
  EXPECT_EQ(out, (Shape{24, 1}));
  EXPECT_FALSE(view_strides({3, 2}, {1, 3}, {6}, out));
}

TEST(Layout, InferSizeFillsTheHole) {
  EXPECT_EQ(infer_size({2, -1}, 6), (Shape{2, 3}));
  EXPECT_THROW(infer_size({4, -1}, 6), RuntimeError);
  EXPECT_THROW(infer_size({-1, -1}, 6), RuntimeError);
}

TEST(Layout, BroadcastNamesTheSizesThatDiffer) {
  EXPECT_EQ(broadcast_shapes({3, 1}, {4}), (Shape{3, 4}));
  try {
    broadcast_shapes({2, 3}, {2, 4}, "add");
    FAIL() << "shapes that do not broadcast were accepted";
  } catch (const RuntimeError& e) {
    EXPECT_NE(std::string(e.what()).find("3 is not 4"), std::string::npos) << e.what();
  }
}

TEST(Layout, OverlapIsFoundInExpandedTensors) {
  Tensor t = allocate({3}, DType::Float32);
  EXPECT_TRUE(has_internal_overlap(view_of(t, {2, 3}, {0, 1}, 0)));
  EXPECT_FALSE(has_internal_overlap(view_of(t, {3, 1}, {1, 0}, 0)));
}

TEST(Layout, SizesThatOverflowAreRefused) {
  EXPECT_THROW(allocate({int64_t{1} << 40, int64_t{1} << 40}, DType::Float32), OutOfMemoryError);
  EXPECT_THROW(allocate({-1}, DType::Float32), RuntimeError);
}

TEST(Promotion, MixedHalfTypesMeetInFloat32) {
  EXPECT_EQ(promote(DType::Float16, DType::BFloat16), DType::Float32);
}

TEST(Promotion, UnsignedAndSignedBytesMeetInInt16) {
  EXPECT_EQ(promote(DType::UInt8, DType::Int8), DType::Int16);
}

TEST(Promotion, NumbersGiveWayToTensors) {
  Tensor t = allocate({2}, DType::Float16), number = wrapped_number(2.5), whole = allocate({2}, DType::Int32);
  EXPECT_EQ(result_type({&t, &number}), DType::Float16);
  EXPECT_EQ(result_type({&whole, &number}), default_dtype());
}

TEST(Promotion, ZeroDimensionalTensorsGiveWayWithinTheirKind) {
  Tensor t = allocate({2}, DType::Float32), zero = allocate({}, DType::Float64);
  EXPECT_EQ(result_type({&t, &zero}), DType::Float32);
}

TEST(SmallVector, GrowsBeyondItsInlineRoomAndMoves) {
  Shape s;
  for (int64_t i = 0; i < 20; ++i) s.push_back(i);
  Shape moved = std::move(s);
  EXPECT_EQ(moved.size(), 20u);
  EXPECT_EQ(moved[19], 19);
  moved.erase(0);
  moved.insert(0, 7);
  EXPECT_EQ(moved[0], 7);
  EXPECT_EQ(moved[1], 1);
}

}  // namespace
}  // namespace mlx
