#include "backends/cpu/matrix_stacks.h"

#include <algorithm>

#include "backends/cpu/blas.h"
#include "backends/cpu/matrix_product.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

bool is_blas_layout(const Tensor& t) { return has_rows(t, -2, -1) || has_rows(t, -1, -2); }

const void* matrix_at(const Tensor& t, int64_t i) {
  return static_cast<const char*>(t.raw()) + offset_of(t, i) * static_cast<int64_t>(item_size(t.dtype()));
}

}  // namespace

int64_t offset_of(const Tensor& t, int64_t i) {
  int64_t offset = 0;
  for (int64_t d = t.dim() - 3; d >= 0; --d) {
    offset += i % t.size(d) * t.stride(d);
    i /= t.size(d);
  }
  return offset;
}

bool has_rows(const Tensor& t, int64_t across, int64_t along) {
  return (t.stride(along) == 1 || t.size(along) == 1) &&
         (t.stride(across) >= std::max<int64_t>(t.size(along), 1) || t.size(across) == 1);
}

bool is_packed(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) return false;
  if (a.dtype() == DType::BFloat16 || a.dtype() == DType::Float16) return true;
  if (a.dtype() != DType::Float32) return false;
  if (!is_blas_layout(a) || !is_blas_layout(b)) return true;
  const int64_t m = a.size(-2), n = b.size(-1);
  // Each block of depth adds to results. On several threads BLAS does better where those have left the cache
  // by then. The choice is the same on one, so that results are too.
  constexpr int64_t kDeep = 1000, kCachedResults = int64_t{1} << 17;
  const bool deep = a.size(-1) > kDeep && m * n > kCachedResults;
  if (kBlasHasMatrixUnits || m == 1 || deep) return false;
  // Lines of a transposed left operand are short in memory, which more columns have to make up for.
  if (n < (a.stride(-1) == 1 ? 16 : 32)) return false;
  // BLAS has kernels of its own for products below a million, but for those with a transposed right operand.
  const int64_t least_work = int64_t{1} << (b.stride(-1) == 1 ? 20 : 15);
  return a.size(-1) >= least_work / m / n;
}

void multiply_packed(const Tensor& a, const Tensor& b, void* out, const ProductEnding* ending) {
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1), count = a.numel() / (m * k);
  const ProductKernels& kernels =
      a.dtype() == DType::BFloat16 ? bfloat16_product_kernels() : product_kernels();
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const bool split_each = count < 4 * num_threads() && work >= 1 << 18;
  const int64_t grain =
      split_each ? count : static_cast<int64_t>(std::max(1.0, (1 << 17) / std::max(work, 1.0)));
  const int64_t bytes = m * n * static_cast<int64_t>(item_size(a.dtype()));
  parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const MatrixSource left(matrix_at(a, i), a.dtype(), a.stride(-2), a.stride(-1)),
          right(matrix_at(b, i), b.dtype(), b.stride(-1), b.stride(-2));
      const MatrixTarget target(out ? static_cast<char*>(out) + i * bytes : nullptr, a.dtype(), n, i * m * n);
      multiply({.kernels = kernels,
                .rows = m,
                .columns = n,
                .depth = k,
                .left = left,
                .right = right,
                .target = target,
                .ending = ending});
    }
  });
}

}  // namespace mlx::cpu
