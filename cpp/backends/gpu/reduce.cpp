// Reductions, and the places of extremes: how the work of metal/reduce.metal is shared out.

#include <algorithm>

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;
// So many threads fill a GPU; a thread folds at least so many elements before the work is cut further.
constexpr int64_t kBusyThreads = 1 << 15, kThreadElements = 16, kMaxPieces = 1024;

// As in the kernel's text.
struct ReductionWork {
  uint64_t results, reduced = 1;
  uint32_t lanes = 1, pieces = 1;
  float divisor = 1;
  uint32_t root = 0, centred = 0;
  Dims kept, folded;

  // The dimensions in which `out` has size 1 are folded, memory's finest last.
  bool set_dims(const Tensor& in, const Tensor& out) {
    Shape dims;
    for (int64_t d = 0; d < in.dim(); ++d) {
      if (in.size(d) == 1) continue;
      if (out.size(d) == 1)
        dims.push_back(d);
      else if (!kept.add(in.size(d), in.stride(d)))
        return false;
    }
    std::stable_sort(dims.begin(), dims.end(),
                     [&](int64_t a, int64_t b) { return in.stride(a) > in.stride(b); });
    for (int64_t d : dims) {
      reduced *= static_cast<uint64_t>(in.size(d));
      if (!folded.add(in.size(d), in.stride(d))) return false;
    }
    results = static_cast<uint64_t>(out.numel());
    share_out();
    return true;
  }

  // Where a result's elements lie closer together than the results do, its team is a group's neighbours; else
  // neighbouring threads take neighbouring results.
  void share_out() {
    const auto n = static_cast<int64_t>(reduced), count = static_cast<int64_t>(results);
    const bool rows =
        kept.count == 0 || (folded.count > 0 && folded.steps[folded.count - 1] < kept.steps[kept.count - 1]);
    if (rows) lanes = power_of_two((n + 3) / 4, kThreads);
    const int64_t most =
        std::min({kBusyThreads / (count * lanes), n / (lanes * kThreadElements), kMaxPieces});
    pieces = static_cast<uint32_t>(std::max<int64_t>(most, 1));
  }
};

// The totals of a kind, and what the type of one takes in memory.
struct Total {
  std::string text;
  size_t bytes;
  const char* flag = nullptr;  // what the kernel's text asks about it
};

void run_reduction(const Launch& launch, Runtime& runtime, const ReductionWork& r, const Total& total,
                   DType read_as) {
  const Tensor &in = launch.in(0), &out = launch.out();
  const char* index = index_text(std::max(in.numel(), out.numel() * static_cast<int64_t>(r.pieces)));
  const std::initializer_list<Definition> definitions = {{"IN", memory_text(in.dtype())},
                                                         {"READ", type_text(read_as)},
                                                         {"TOTAL", total.text},
                                                         {"OUT", type_text(out.dtype())},
                                                         {"INDEX", index},
                                                         {total.flag ? total.flag : "PLAIN", "1"}};
  const uint32_t teams = kThreads / r.lanes;
  // What is not there is never looked at, but has to lie where any type may.
  const Tensor nothing = view_of(out, {0}, {1}, 0);
  const Tensor parts = r.pieces == 1 ? nothing
                                     : allocate({static_cast<int64_t>(r.results * r.pieces * total.bytes)},
                                                DType::UInt8, out.device());
  const Tensor &source = in.numel() ? in : nothing, &mean = r.centred ? launch.in(1) : nothing,
               &places = launch.outputs.size() > 1 ? launch.out(1) : nothing;
  run(runtime, launch, kernel(runtime, "reduce", "reduce", definitions),
      {read(source), read(mean), write(out), write(places), write(parts), bytes(r)},
      groups_of(out.numel() * r.pieces, teams), {kThreads});
  if (r.pieces == 1) return;
  run(runtime, launch, kernel(runtime, "reduce", "reduce_parts", definitions),
      {read(parts), write(out), write(places), bytes(r)}, {static_cast<uint32_t>(r.results)},
      {power_of_two(r.pieces, kThreads)});
}

Total total_of(Reduction kind, DType t) {
  const std::string element = str('<', type_text(t), '>');
  const bool exact = t == DType::Float32 || t == DType::Complex64;
  switch (kind) {
    case Reduction::Sum:
      return {"Sum" + element, exact ? 2 * item_size(t) : item_size(t)};
    case Reduction::Prod:
    case Reduction::All:  // of truth values
      return {"Product" + element, t == DType::Float32 ? 12 : item_size(t)};
    case Reduction::Max:
    case Reduction::Any:
      return {"Maximum" + element, item_size(t)};
    case Reduction::Min:
      return {"Minimum" + element, item_size(t)};
    case Reduction::SquaredDeviation:
      break;
  }
  return {"Deviation", 24, "DEVIATION"};
}

bool reduce(const Reduce& k, const Launch& launch, Runtime& runtime) {
  const Tensor& in = launch.in(0);
  const bool truth = k.kind == Reduction::Any || k.kind == Reduction::All;
  const bool deviation = k.kind == Reduction::SquaredDeviation;
  const bool extreme = k.kind == Reduction::Max || k.kind == Reduction::Min;
  const DType element = truth || k.compute == DType::Bool ? DType::UInt8 : k.compute;
  if (!has_type(in.dtype()) || !has_type(launch.out().dtype()) || !has_type(element)) return false;
  if ((deviation && element != DType::Float32) || (extreme && is_complex(element))) return false;
  ReductionWork r;
  if (!r.set_dims(in, launch.out())) return false;
  r.divisor = static_cast<float>(k.divisor);
  r.root = k.root;
  r.centred = launch.inputs.size() > 1;
  run_reduction(launch, runtime, r, total_of(k.kind, element), truth ? DType::Bool : element);
  return true;
}

bool arg_reduce(const ArgReduce& k, const Launch& launch, Runtime& runtime) {
  const Tensor& in = launch.in(0);
  const DType compute = compute_type(in.dtype()), element = compute == DType::Bool ? DType::UInt8 : compute;
  if (!has_type(element) || is_complex(element)) return false;
  ReductionWork r;
  if (!r.set_dims(in, launch.out())) return false;
  const Total total{str(k.largest ? "LargestPlace<" : "SmallestPlace<", type_text(element), '>'), 16,
                    "PLACES"};
  run_reduction(launch, runtime, r, total, element);
  return true;
}

GPU_KERNEL(Reduce, reduce);
GPU_KERNEL(ArgReduce, arg_reduce);

}  // namespace
}  // namespace mlx::gpu
