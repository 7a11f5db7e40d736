#include "backends/cpu/product_endings.h"

#include <algorithm>

#include "backends/cpu/vector_kernels.h"

namespace mlx::cpu {
namespace {

class AddendFinish : public ProductEnding::Finish {
 public:
  explicit AddendFinish(const Layout& layout) : reader_(layout, DType::Float32) {}

  void run(float* sums, int64_t first, int64_t n) override {
    const PointwiseKernel add = vector_kernels().pointwise(Formula::add, ComputeType::Float32).kernel;
    for (int64_t i = 0; i < n; i += kTile) {
      const int64_t part = std::min(kTile, n - i);
      const void* operands[] = {sums + i, reader_.read(first + i, part)};
      add(operands, sums + i, part);
    }
  }

 private:
  TileReader reader_;
};

class ProgramFinish : public ProductEnding::Finish {
 public:
  explicit ProgramFinish(const FusedOperands& operands)
      : tiles_(operands), type_(operands.program.inputs[0]) {}

  void prepare(int64_t first, int64_t n) override { tiles_.prefetch(first, n); }
  void run(float* sums, int64_t first, int64_t n) override {
    for (int64_t i = 0; i < n; i += kTile) {
      const int64_t part = std::min(kTile, n - i);
      const void* values = sums + i;
      if (type_ != DType::Float32) {
        convert(DType::Float32, type_, values, rounded_, part);
        values = rounded_;
      }
      tiles_.run(first + i, part, values);
    }
  }

 private:
  FusedTiles tiles_;
  const DType type_;
  alignas(64) uint16_t rounded_[kTile];
};

}  // namespace

AddendEnding::AddendEnding(const Tensor& addend, const Shape& shape, const Shape& strides)
    : layout_(addend, shape, strides) {}

std::unique_ptr<ProductEnding::Finish> AddendEnding::start() const {
  return std::make_unique<AddendFinish>(layout_);
}

ProgramEnding::ProgramEnding(const FusedProgram& program, std::span<const Tensor* const> outputs,
                             std::span<const Tensor* const> others, const Tensor* room)
    : operands_(program, outputs, others) {
  operands_.computed = true;
  if (room) operands_.computed_at = static_cast<const char*>(room->raw());
}

std::unique_ptr<ProductEnding::Finish> ProgramEnding::start() const {
  return std::make_unique<ProgramFinish>(operands_);
}

}  // namespace mlx::cpu
