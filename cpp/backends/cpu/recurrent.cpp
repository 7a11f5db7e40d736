// Steps of recurrent layers: all samples of a batch, side by side.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 4096;  // cells: each costs five exponentials, 2.7 ns

int64_t rows_at_once(int64_t cells) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(cells, 1)); }

// Row `r` of a matrix without gaps, null of one that is missing.
char* row(const Tensor& t, int64_t r) {
  return t.defined() ? static_cast<char*>(t.raw()) + r * t.size(1) * static_cast<int64_t>(t.item_size())
                     : nullptr;
}

const LstmEntry& entry(const Tensor& t) { return row_kernels().lstm[t.dtype() == DType::Float64]; }

void lstm_cell(const LstmCell&, const Launch& l) {
  const Tensor& cell = l.out(1);
  const int64_t n = cell.size(1);
  parallel_for(0, cell.size(0), rows_at_once(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      entry(cell).forward(row(l.in(0), r), row(l.in(1), r), row(l.in(2), r), row(l.out(0), r), row(cell, r),
                          row(l.out(2), r), n);
  });
}

void lstm_cell_gradient(const LstmCellGradient&, const Launch& l) {
  const Tensor& cell = l.in(4);
  const int64_t n = cell.size(1);
  parallel_for(0, cell.size(0), rows_at_once(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      entry(cell).backward({row(l.in(0), r), row(l.in(1), r), row(l.in(2), r), row(l.in(3), r), row(cell, r),
                            row(l.in(5), r), row(l.out(0), r), row(l.out(1), r)},
                           n);
  });
}

CPU_KERNEL(LstmCell, lstm_cell);
CPU_KERNEL(LstmCellGradient, lstm_cell_gradient);

}  // namespace
}  // namespace mlx::cpu
