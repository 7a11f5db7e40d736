// Running totals over the middle dimension of (outer, n, inner). A line is the work of `lanes` threads of a
// group, four elements a thread at a time, and, where there are few lines, of `pieces` such teams: these
// first find their piece's total, which are scanned, and then go on from the total of the pieces before.
//
// ELEMENT: the elements' type; TOTAL: how they join; PLACES, if defined: TOTAL is told each element's place
// and gives it.
#include "totals.h"

struct Lines {
  ulong lines, inner;
  uint n, lanes, pieces, piece_length, reverse, totals_only;
};

constant constexpr uint kThreads = 256, kEach = 4;

// log(sum(exp(x))) as the largest x and the sum relative to it.
template <typename T>
struct LogSum {
  float largest;
  ExactSum sum;
  static LogSum none() { return {-INFINITY, {0, 0}}; }
  static LogSum add(LogSum a, float x) { return join(a, {x, {1, 0}}); }
  static LogSum join(LogSum a, LogSum b) {
    if (is_nan(a.largest) || b.largest == -INFINITY) return a;
    if (is_nan(b.largest) || a.largest == -INFINITY) return b;
    const float largest = max(a.largest, b.largest);
    if (largest == INFINITY) return {largest, {1, 0}};
    const float p = exp(a.largest - largest), q = exp(b.largest - largest);
    return {largest,
            exact_add(ExactSum{a.sum.high * p, a.sum.low * p}, ExactSum{b.sum.high * q, b.sum.low * q})};
  }
  static float value(LogSum a) { return isinf(a.largest) ? a.largest : a.largest + log(rounded(a.sum)); }
};

// An extreme and the last place it is at; NaN stays. Place -1: none yet.
template <typename T, bool kLargest>
struct LastPlace {
  T best;
  long at;
  static LastPlace none() { return {T(0), -1}; }
  static LastPlace add(LastPlace a, T x, long at) { return join(a, {x, at}); }
  static LastPlace join(LastPlace a, LastPlace b) {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    if (is_nan(a.best) || is_nan(b.best)) return is_nan(b.best) ? b : a;
    return (kLargest ? b.best >= a.best : b.best <= a.best) ? b : a;
  }
  static T value(LastPlace a) { return a.best; }
};
template <typename T>
using LargestSoFar = LastPlace<T, true>;
template <typename T>
using SmallestSoFar = LastPlace<T, false>;

#ifdef PLACES
#define ADD(total, x, k) TOTAL::add(total, x, long(k))
#else
#define ADD(total, x, k) TOTAL::add(total, x)
#endif

// The totals of the lanes up to each one, in `room`.
inline void scan_lanes(TOTAL mine, threadgroup TOTAL* room, uint self, uint lanes) {
  const uint lane = self % lanes;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  room[self] = mine;
  for (uint step = 1; step < lanes; step *= 2) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    TOTAL before = TOTAL::none();
    if (lane >= step) before = room[self - step];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    mine = TOTAL::join(before, mine);
    room[self] = mine;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
}

kernel void scan(device const ELEMENT* in [[buffer(0)]], device ELEMENT* out [[buffer(1)]],
                 device long* places [[buffer(2)]], device TOTAL* parts [[buffer(3)]],
                 constant Lines& s [[buffer(4)]], uint group [[threadgroup_position_in_grid]],
                 uint self [[thread_index_in_threadgroup]]) {
  threadgroup TOTAL room[kThreads];
  const uint lane = self % s.lanes, first_thread = self - lane;
  const ulong item = ulong(group) * (kThreads / s.lanes) + self / s.lanes;
  const uint piece = uint(item / s.lines);
  const ulong line = item - piece * s.lines, outer = line / s.inner;
  const ulong start = outer * s.n * s.inner + (line - outer * s.inner);
  const uint begin = piece * s.piece_length;
  const uint end = piece < s.pieces ? min(s.n, begin + s.piece_length) : 0;
  TOTAL carry = TOTAL::none();
  if (piece > 0 && piece < s.pieces && !s.totals_only) carry = parts[line * s.pieces + piece - 1];
  for (uint done = 0; done < s.piece_length; done += s.lanes * kEach) {
    const uint k = begin + done + lane * kEach;
    TOTAL running[kEach];
    TOTAL mine = TOTAL::none();
    for (uint j = 0; j < kEach; ++j) {
      if (k + j < end) {
        const uint place = s.reverse ? s.n - 1 - k - j : k + j;
        mine = ADD(mine, in[start + place * s.inner], place);
      }
      running[j] = mine;
    }
    TOTAL before = carry;
    if (s.lanes > 1) {
      scan_lanes(mine, room, self, s.lanes);
      if (lane > 0) before = TOTAL::join(carry, room[self - 1]);
      carry = TOTAL::join(carry, room[first_thread + s.lanes - 1]);
    } else {
      carry = TOTAL::join(carry, mine);
    }
    if (s.totals_only) continue;
    for (uint j = 0; j < kEach && k + j < end; ++j) {
      const ulong at = start + (s.reverse ? s.n - 1 - k - j : k + j) * s.inner;
      const TOTAL total = TOTAL::join(before, running[j]);
      out[at] = TOTAL::value(total);
#ifdef PLACES
      places[at] = total.at;
#endif
    }
  }
  if (s.totals_only && lane == 0 && piece < s.pieces) parts[line * s.pieces + piece] = carry;
}

// A thread a line: the totals of its pieces become those of all up to each.
kernel void scan_parts(device TOTAL* parts [[buffer(0)]], constant Lines& s [[buffer(1)]],
                       uint line [[thread_position_in_grid]]) {
  if (line >= s.lines) return;
  TOTAL total = TOTAL::none();
  for (uint piece = 0; piece < s.pieces; ++piece) {
    total = TOTAL::join(total, parts[line * s.pieces + piece]);
    parts[line * s.pieces + piece] = total;
  }
}
