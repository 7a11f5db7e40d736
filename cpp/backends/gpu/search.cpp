// Places in sorted rows, and counts of integers.

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;

// As in the kernel's text.
struct Search {
  uint64_t count;
  uint32_t n, m, stride, right;
};

bool searchsorted(const SearchSorted& k, const Launch& launch, Runtime& runtime) {
  const Tensor &boundaries = launch.in(0), &values = launch.in(1), &out = launch.out();
  if (!has_type(values.dtype()) || values.is_complex() || boundaries.numel() > INT32_MAX ||
      values.numel() > INT32_MAX)
    return false;
  const int64_t n = boundaries.size(1);
  const Search search{static_cast<uint64_t>(values.numel()), static_cast<uint32_t>(n),
                      static_cast<uint32_t>(values.size(1)),
                      boundaries.size(0) == 1 ? 0 : static_cast<uint32_t>(n), k.right};
  run(runtime, launch, kernel(runtime, "search", "searchsorted", {{"ELEMENT", memory_text(values.dtype())}}),
      {read(n ? boundaries : values), read(values), write(out), bytes(search)},
      groups_of(values.numel(), kThreads), {kThreads});
  return true;
}

template <class K>
void launch_on(const Tensor& out, const K& k, std::span<const Tensor* const> inputs) {
  const Tensor* outputs[] = {&out};
  backend(out.device().type).run({kernel_number<K>(), &k, sizeof k, outputs, inputs});
}

// Sums of weights would depend on the order in which threads come, so the CPU adds them.
bool bincount(const Bincount&, const Launch& launch, Runtime& runtime) {
  const Tensor &in = launch.in(0), &out = launch.out();
  if (launch.in(1).defined() || in.numel() == 0 || in.numel() > INT32_MAX) return false;
  // There are no atomic 64-bit integers.
  const Tensor counts = allocate(out.shape(), DType::Int32, out.device());
  launch_on(counts, Fill{}, {});
  const uint32_t n = static_cast<uint32_t>(in.numel());
  run(runtime, launch, kernel(runtime, "search", "count_integers", {{"ELEMENT", "int"}}),
      {read(in), update(counts), bytes(n)}, groups_of(n, kThreads), {kThreads});
  const Tensor* inputs[] = {&counts};
  launch_on(out, Copy{}, inputs);
  return true;
}

GPU_KERNEL(SearchSorted, searchsorted);
GPU_KERNEL(Bincount, bincount);

}  // namespace
}  // namespace mlx::gpu
