// Running totals: how the lines of metal/scan.metal are shared out.

#include <algorithm>

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;
constexpr int64_t kElementsEach = 4;  // of a thread at a time
constexpr int64_t kManyLines = 1024;  // enough for a thread each
constexpr int64_t kBusyThreads = 1 << 14, kPieceElements = 8192, kMaxPieces = 256;

// As in the kernel's text.
struct Lines {
  uint64_t lines, inner;
  uint32_t n, lanes, pieces, piece_length, reverse, totals_only = 0;

  Lines(const Tensor& t, bool backwards)
      : lines(static_cast<uint64_t>(t.size(0) * t.size(2))),
        inner(static_cast<uint64_t>(t.size(2))),
        n(static_cast<uint32_t>(t.size(1))),
        reverse(backwards) {
    const bool beside = inner > 1 && lines >= kManyLines;
    lanes = beside ? 1 : power_of_two(ceil_div(t.size(1), kElementsEach), kThreads);
    const int64_t most = std::min(
        {t.size(1) / kPieceElements, kBusyThreads / static_cast<int64_t>(lines * lanes), kMaxPieces});
    pieces = static_cast<uint32_t>(std::max<int64_t>(most, 1));
    piece_length = ceil_div(n, pieces);
  }
};

struct Total {
  std::string text;
  size_t bytes;  // at most
  bool places = false;
};

Total total_of(Scanning kind, const char* type) {
  const std::string element = str('<', type, '>');
  switch (kind) {
    case Scanning::Sum:
      return {"Sum" + element, 16};
    case Scanning::Prod:
      return {"Product" + element, 12};
    case Scanning::LogSumExp:
      return {"LogSum" + element, 12};
    case Scanning::Max:
      return {"LargestSoFar" + element, 16, true};
    case Scanning::Min:
      break;
  }
  return {"SmallestSoFar" + element, 16, true};
}

bool possible(const Scan& k, const Tensor& in) {
  const DType t = in.dtype();
  if (!has_type(t) || in.size(1) > INT32_MAX ||
      (is_complex(t) && k.kind != Scanning::Sum && k.kind != Scanning::Prod))
    return false;
  return k.kind != Scanning::LogSumExp || t == DType::Float32;
}

bool scan(const Scan& k, const Launch& launch, Runtime& runtime) {
  const Tensor &in = launch.in(0), &out = launch.out();
  if (!possible(k, in)) return false;
  const char* type = memory_text(in.dtype());
  const Total total = total_of(k.kind, type);
  const std::initializer_list<Definition> definitions = {
      {"ELEMENT", type}, {"TOTAL", total.text}, {total.places ? "PLACES" : "PLAIN", "1"}};
  Lines lines(in, k.reverse);
  const Kernel* pass = kernel(runtime, "scan", "scan", definitions);
  const Tensor& places = total.places ? launch.out(1) : out;
  const Size groups = groups_of(static_cast<int64_t>(lines.lines * lines.pieces), kThreads / lines.lanes);
  if (lines.pieces == 1) {
    run(runtime, launch, pass, {read(in), write(out), write(places), write(out), bytes(lines)}, groups,
        {kThreads});
    return true;
  }
  const Tensor parts =
      allocate({static_cast<int64_t>(lines.lines * lines.pieces * total.bytes)}, DType::UInt8, out.device());
  lines.totals_only = 1;
  run(runtime, launch, pass, {read(in), write(out), write(places), write(parts), bytes(lines)}, groups,
      {kThreads});
  run(runtime, launch, kernel(runtime, "scan", "scan_parts", definitions), {update(parts), bytes(lines)},
      groups_of(static_cast<int64_t>(lines.lines), kThreads), {kThreads});
  lines.totals_only = 0;
  run(runtime, launch, pass, {read(in), write(out), write(places), update(parts), bytes(lines)}, groups,
      {kThreads});
  return true;
}

GPU_KERNEL(Scan, scan);

}  // namespace
}  // namespace mlx::gpu
