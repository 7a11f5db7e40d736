// Sorting rows, and what follows from a sorted row: the k first, medians, modes.

#include <algorithm>

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

// As in the kernels' text.
constexpr uint32_t kSlots = 1024, kMerged = 8;
struct Sorting {
  uint32_t rows, n, columns, width, slots, tiles, flip, direct;
};
struct Selecting {
  uint32_t rows, n, place, median, has_nan;
};

constexpr uint32_t kThreads = 256;

bool possible(const Tensor& in) {
  return has_type(in.dtype()) && !in.is_complex() && in.size(0) <= UINT16_MAX * kThreads &&
         in.numel() <= UINT32_MAX && in.numel() > 0;
}

const Kernel* sort_kernel(Runtime& runtime, const char* function, const Tensor& in) {
  return kernel(
      runtime, "sort", function,
      {{"ELEMENT", memory_text(in.dtype())}, {"KEY", in.dtype() == DType::Int64 ? "ulong" : "uint"}});
}
// Merging sees keys only.
const Kernel* merge_kernel(Runtime& runtime, const Tensor& in) {
  const bool wide = in.dtype() == DType::Int64;
  return kernel(runtime, "sort", "merge_runs",
                {{"ELEMENT", wide ? "long" : "int"}, {"KEY", wide ? "ulong" : "uint"}});
}

Sorting sorting_of(const Tensor& in, int64_t columns, bool falling, bool direct) {
  Sorting s{};
  s.rows = static_cast<uint32_t>(in.size(0));
  s.n = static_cast<uint32_t>(in.size(1));
  s.columns = static_cast<uint32_t>(columns);
  s.width = std::max(2u, power_of_two(in.size(1), kSlots));
  s.tiles = ceil_div(s.n, s.width);
  s.slots = s.tiles > 1 ? kSlots : std::min(kSlots, s.width * power_of_two(in.size(0), kSlots));
  s.flip = falling;
  s.direct = direct && s.tiles == 1;
  return s;
}

// The sorted items of all rows; undefined when the results have been written already.
Tensor sorted_items(const Launch& launch, Runtime& runtime, const Sorting& s) {
  const Tensor& in = launch.in(0);
  const int64_t bytes_each = in.dtype() == DType::Int64 ? 16 : 8;
  Tensor items, spare;
  if (!s.direct) items = allocate({in.numel() * bytes_each}, DType::UInt8, in.device());
  run(runtime, launch, sort_kernel(runtime, "sort_tiles", in),
      {read(in), write(launch.out(0)), write(launch.out(1)), write(s.direct ? launch.out(0) : items),
       bytes(s)},
      groups_of(int64_t{s.rows} * s.tiles, s.slots / s.width), {s.slots / 2});
  if (s.tiles > 1) spare = allocate({in.numel() * bytes_each}, DType::UInt8, in.device());
  for (uint32_t length = s.width; length < s.n; length *= 2) {
    run(runtime, launch, merge_kernel(runtime, in), {read(items), write(spare), bytes(s), bytes(length)},
        {groups_of(ceil_div(s.n, kMerged), kThreads).x, s.rows}, {kThreads});
    std::swap(items, spare);
  }
  return items;
}

bool sorted(const Launch& launch, Runtime& runtime, bool falling) {
  const Tensor &in = launch.in(0), &values = launch.out(0), &indices = launch.out(1);
  if (!possible(in)) return false;
  const Sorting s = sorting_of(in, values.size(1), falling, true);
  const Tensor items = sorted_items(launch, runtime, s);
  if (!s.direct)
    run(runtime, launch, sort_kernel(runtime, "write_sorted", in),
        {read(items), read(in), write(values), write(indices), bytes(s)},
        {groups_of(s.columns, kThreads).x, s.rows}, {kThreads});
  return true;
}

bool sort(const Sort& k, const Launch& launch, Runtime& runtime) {
  return sorted(launch, runtime, k.descending);
}

bool topk(const TopK& k, const Launch& launch, Runtime& runtime) {
  return sorted(launch, runtime, k.largest);
}

// A thread a row looks through its items.
bool from_sorted(const Launch& launch, Runtime& runtime, const char* function, Selecting selecting) {
  const Tensor& in = launch.in(0);
  if (!possible(in)) return false;
  const Sorting s = sorting_of(in, in.size(1), false, false);
  const Tensor items = sorted_items(launch, runtime, s);
  selecting.rows = s.rows;
  selecting.n = s.n;
  selecting.has_nan = in.is_floating();
  run(runtime, launch, sort_kernel(runtime, function, in),
      {read(items), read(in), write(launch.out(0)), write(launch.out(1)), bytes(selecting)},
      groups_of(s.rows, kThreads), {kThreads});
  return true;
}

bool select(const Select& k, const Launch& launch, Runtime& runtime) {
  Selecting selecting{};
  selecting.place = k.kind == Selection::Kth ? static_cast<uint32_t>(k.k) : 0;
  selecting.median = k.kind == Selection::Median ? 1 : k.kind == Selection::NanMedian ? 2 : 0;
  return from_sorted(launch, runtime, "select_sorted", selecting);
}

bool mode(const Mode&, const Launch& launch, Runtime& runtime) {
  return from_sorted(launch, runtime, "mode_sorted", {});
}

GPU_KERNEL(Sort, sort);
GPU_KERNEL(TopK, topk);
GPU_KERNEL(Select, select);
GPU_KERNEL(Mode, mode);

}  // namespace
}  // namespace mlx::gpu
