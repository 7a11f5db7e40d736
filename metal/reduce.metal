// Reductions over any set of dimensions. A result is the work of `lanes` threads of a group, and, where there
// are few results, of `pieces` such teams, whose totals a second kernel joins. The teams of a result take
// turns at its elements, so that neighbouring threads read neighbouring memory.
//
// IN: what memory holds; READ: the type that is computed in; TOTAL: how elements join; OUT: the result's
// type; INDEX: what counts elements; PLACES, if defined: TOTAL is told each element's number and gives it.
#include "totals.h"

struct Reduction {
  ulong results, reduced;
  uint lanes, pieces;
  float divisor;
  uint root, centred;
  Dims kept, folded;
};

constant constexpr uint kThreads = 256;

// The sum of (x - mean) ** 2. Squares that would leave a float's range are scaled by 2^-200 or 2^200 and kept
// apart, and the sum of x - mean mends what the mean lacks in digits.
struct Deviation {
  ExactSum squares, first;
  float large, tiny;
  static Deviation none() { return {{0, 0}, {0, 0}, 0, 0}; }
  static Deviation add(Deviation a, float x) {
    const float size = abs(x);
    if (size > 0x1p50f)
      a.large += (x * 0x1p-100f) * (x * 0x1p-100f);
    else if (size < 0x1p-50f)
      a.tiny += (x * 0x1p100f) * (x * 0x1p100f);
    else
      a.squares = exact_add(a.squares, x * x);
    a.first = exact_add(a.first, x);
    return a;
  }
  static Deviation join(Deviation a, Deviation b) {
    return {exact_add(a.squares, b.squares), exact_add(a.first, b.first), a.large + b.large, a.tiny + b.tiny};
  }
  static float value(Deviation a, constant Reduction& r) {
    float total = rounded(a.squares), scale = 1;
    if (r.centred && a.large == 0) {
      const float rest = rounded(a.first);
      total -= rest * (rest / float(r.reduced));
      if (total < 0) total = 0;
    }
    if (a.large > 0) {
      total = a.large + total * 0x1p-100f * 0x1p-100f;
      scale = 0x1p100f;
    } else if (total == 0) {
      total = a.tiny;
      scale = 0x1p-100f;
    } else {
      total += a.tiny * 0x1p-100f * 0x1p-100f;
    }
    total /= r.divisor;
    return r.root ? sqrt(total) * scale : total * scale * scale;
  }
};

// An extreme and the first place it is at; NaN is beyond every number. Place -1: none yet.
template <typename T, bool kLargest>
struct PlaceOf {
  T best;
  long at;
  static PlaceOf none() { return {T(0), -1}; }
  static PlaceOf add(PlaceOf a, T x, long at) { return join(a, {x, at}); }
  static PlaceOf join(PlaceOf a, PlaceOf b) {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    const bool equal = a.best == b.best || (is_nan(a.best) && is_nan(b.best));
    if (equal) return a.at < b.at ? a : b;
    if (is_nan(a.best) || is_nan(b.best)) return is_nan(a.best) ? a : b;
    return (kLargest ? a.best > b.best : a.best < b.best) ? a : b;
  }
};
template <typename T>
using LargestPlace = PlaceOf<T, true>;
template <typename T>
using SmallestPlace = PlaceOf<T, false>;

inline TOTAL joined(TOTAL total, threadgroup TOTAL* room, uint self, uint lanes) {
  const uint lane = self % lanes;
  room[self] = total;
  for (uint step = lanes / 2; step > 0; step /= 2) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (lane < step) {
      total = TOTAL::join(total, room[self + step]);
      room[self] = total;
    }
  }
  return total;
}

#ifdef PLACES
#define ADD(total, x, i) TOTAL::add(total, x, long(i))
#else
#define ADD(total, x, i) TOTAL::add(total, x)
#endif

#if defined(PLACES)
inline void finish(TOTAL total, device Memory<OUT>* out, device long* places, ulong result,
                   constant Reduction&) {
  out[result] = stored<OUT>(total.best);
  places[result] = total.at;
}
#elif defined(DEVIATION)
inline void finish(TOTAL total, device Memory<OUT>* out, device long*, ulong result, constant Reduction& r) {
  out[result] = stored<OUT>(TOTAL::value(total, r));
}
#else
inline float finished(float x, constant Reduction& r) {
  x = x / r.divisor;
  return r.root ? sqrt(x) : x;
}
inline complex64 finished(complex64 x, constant Reduction& r) {
  return complex64(x.re / r.divisor, x.im / r.divisor);
}
template <typename T>
inline T finished(T x, constant Reduction&) {
  return x;
}
inline void finish(TOTAL total, device Memory<OUT>* out, device long*, ulong result, constant Reduction& r) {
  out[result] = stored<OUT>(finished(TOTAL::value(total), r));
}
#endif

kernel void reduce(device const IN* in [[buffer(0)]], device const float* mean [[buffer(1)]],
                   device Memory<OUT>* out [[buffer(2)]], device long* places [[buffer(3)]],
                   device TOTAL* parts [[buffer(4)]], constant Reduction& r [[buffer(5)]],
                   uint group [[threadgroup_position_in_grid]], uint self [[thread_index_in_threadgroup]]) {
  threadgroup TOTAL room[kThreads];
  const INDEX item = INDEX(group) * (kThreads / r.lanes) + self / r.lanes;
  const INDEX piece = item / INDEX(r.results), result = item - piece * INDEX(r.results);
  TOTAL total = TOTAL::none();
  if (piece < r.pieces) {
    device const IN* from = in + offset_of(r.kept, result);
    const INDEX step = r.pieces * r.lanes;
#ifdef DEVIATION
    const float centre = r.centred ? mean[result] : 0.0f;
#endif
    for (INDEX i = piece * r.lanes + self % r.lanes; i < r.reduced; i += step) {
      const READ x = convert<READ>(from[offset_of(r.folded, i)]);
#ifdef DEVIATION
      total = TOTAL::add(total, x - centre);
#else
      total = ADD(total, x, i);
#endif
    }
  }
  total = joined(total, room, self, r.lanes);
  if (piece >= r.pieces || self % r.lanes != 0) return;
  if (r.pieces == 1)
    finish(total, out, places, result, r);
  else
    parts[item] = total;
}

// A group a result: joins the totals of its pieces.
kernel void reduce_parts(device const TOTAL* parts [[buffer(0)]], device Memory<OUT>* out [[buffer(1)]],
                         device long* places [[buffer(2)]], constant Reduction& r [[buffer(3)]],
                         uint result [[threadgroup_position_in_grid]],
                         uint self [[thread_index_in_threadgroup]],
                         uint threads [[threads_per_threadgroup]]) {
  threadgroup TOTAL room[kThreads];
  TOTAL total = TOTAL::none();
  for (uint piece = self; piece < r.pieces; piece += threads)
    total = TOTAL::join(total, parts[piece * r.results + result]);
  total = joined(total, room, self, threads);
  if (self == 0) finish(total, out, places, result, r);
}
