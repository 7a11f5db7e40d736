// Kernels over rows that a program of the compiler computes: a few rows at a time, which stay in the
// second-level cache from the program to the kernel.

#include <cstring>
#include <list>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/fused.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kBlockBytes = int64_t{512} << 10;

// Rows [begin, end) of an operand.
Tensor rows_of(const Tensor& t, int64_t begin, int64_t end) {
  if (!t.defined()) return t;
  Shape shape = t.shape();
  shape[0] = end - begin;
  return view_of(t, std::move(shape), t.strides(), t.offset() + begin * t.stride(0));
}

class RowBlocks {
 public:
  RowBlocks(const FusedRows& k, const Launch& launch)
      : k_(k),
        launch_(launch),
        operands_(*k.program, launch.outputs, launch.inputs.first(k.program->inputs.size())) {}

  void run(int64_t begin, int64_t end, int64_t block) const {
    FusedTiles tiles(operands_);
    const int64_t n = k_.program->shape[1], item = static_cast<int64_t>(item_size(k_.type));
    const Tensor room = allocate({block, n}, k_.type);
    for (int64_t row = begin; row < end; row += block) {
      const int64_t last = std::min(row + block, end);
      const Tensor value = rows_of(room, 0, last - row);
      for (int64_t at = row * n; at < last * n; at += kTile) {
        const int64_t count = std::min(kTile, last * n - at);
        std::memcpy(static_cast<char*>(value.raw()) + (at - row * n) * item, tiles.read(at, count),
                    static_cast<size_t>(count * item));
      }
      run_kernel(value, row, last);
    }
  }

 private:
  void run_kernel(const Tensor& value, int64_t begin, int64_t end) const {
    std::list<Tensor> parts;
    std::vector<const Tensor*> outputs, inputs{&value};
    for (int i = 0; i < k_.outputs; ++i)
      outputs.push_back(&parts.emplace_back(rows_of(launch_.out(static_cast<size_t>(i)), begin, end)));
    for (const Tensor* t : launch_.inputs.subspan(k_.program->inputs.size()))
      inputs.push_back(k_.by_rows ? &parts.emplace_back(rows_of(*t, begin, end)) : t);
    backend(DeviceType::CPU).run({k_.kernel, k_.params, sizeof k_.params, outputs, inputs});
  }

  const FusedRows& k_;
  const Launch& launch_;
  const FusedOperands operands_;
};

void fused_rows(const FusedRows& k, const Launch& launch) {
  const RowBlocks blocks(k, launch);
  const int64_t rows = k.program->shape[0], n = k.program->shape[1],
                block = std::max<int64_t>(1, kBlockBytes / (n * static_cast<int64_t>(item_size(k.type))));
  parallel_for(0, rows, block, [&](int64_t begin, int64_t end) { blocks.run(begin, end, block); });
}

CPU_KERNEL(FusedRows, fused_rows);

}  // namespace
}  // namespace mlx::cpu
