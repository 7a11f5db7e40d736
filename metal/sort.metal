// Sorting the rows of a matrix: tiles by Batcher's bitonic network (1968) in a group's memory, then pairs of
// sorted runs by merging. Items of equal keys go by their places, so the order is stable.
//
// ELEMENT: what memory holds; KEY: uint or ulong, as order_key gives.
#include "order.h"

struct Item {
  KEY key;
  uint at;
};
inline bool less(Item a, Item b) { return a.key < b.key || (a.key == b.key && a.at < b.at); }
constant constexpr uint kNowhere = 0xffffffffu;

struct Sorting {
  uint rows, n;
  uint columns;       // of the results
  uint width, slots;  // of a tile, and of all tiles of a group; powers of two
  uint tiles;         // of a row
  uint flip;          // 1 for falling order
  uint direct;        // results are written at once
};

constant constexpr uint kSlots = 1024;

kernel void sort_tiles(device const ELEMENT* in [[buffer(0)]], device ELEMENT* values [[buffer(1)]],
                       device long* indices [[buffer(2)]], device Item* items [[buffer(3)]],
                       constant Sorting& s [[buffer(4)]], uint group [[threadgroup_position_in_grid]],
                       uint self [[thread_index_in_threadgroup]]) {
  threadgroup Item slots[kSlots];
  for (uint slot = self; slot < s.slots; slot += s.slots / 2) {
    const uint tile = group * (s.slots / s.width) + slot / s.width, row = tile / s.tiles;
    const uint column = tile % s.tiles * s.width + slot % s.width;
    Item item = {KEY(~KEY(0)), kNowhere};
    if (row < s.rows && column < s.n) {
      const KEY key = order_key(in[ulong(row) * s.n + column]);
      item = {s.flip ? KEY(~key) : key, column};
    }
    slots[slot] = item;
  }
  for (uint run = 2; run <= s.width; run *= 2)
    for (uint step = run / 2; step > 0; step /= 2) {
      threadgroup_barrier(mem_flags::mem_threadgroup);
      const uint low = 2 * self - (self & (step - 1));
      const Item a = slots[low], b = slots[low + step];
      const bool rising = (low & (s.width - 1) & run) == 0;
      if (less(b, a) == rising) {
        slots[low] = b;
        slots[low + step] = a;
      }
    }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint slot = self; slot < s.slots; slot += s.slots / 2) {
    const uint tile = group * (s.slots / s.width) + slot / s.width, row = tile / s.tiles;
    const uint column = tile % s.tiles * s.width + slot % s.width;
    if (row >= s.rows || column >= (s.direct ? s.columns : s.n)) continue;
    const Item item = slots[slot];
    if (s.direct) {
      values[ulong(row) * s.columns + column] = in[ulong(row) * s.n + item.at];
      indices[ulong(row) * s.columns + column] = item.at;
    } else {
      items[ulong(row) * s.n + column] = item;
    }
  }
}

constant constexpr uint kMerged = 8;  // items that a thread merges

// Runs of `run` items become runs of twice as many. A thread finds where its outputs begin in both runs by
// the merge path (Odeh, Green and others, 2012).
kernel void merge_runs(device const Item* from [[buffer(0)]], device Item* to [[buffer(1)]],
                       constant Sorting& s [[buffer(2)]], constant uint& run [[buffer(3)]],
                       uint2 position [[thread_position_in_grid]]) {
  const uint first = position.x * kMerged;
  if (first >= s.n) return;
  const ulong row = ulong(position.y) * s.n;
  const uint start = first / (2 * run) * (2 * run);
  const uint an = min(run, s.n - start), bn = min(run, s.n - start - an), skipped = first - start;
  device const Item *a = from + row + start, *b = a + an;
  uint low = skipped > bn ? skipped - bn : 0, high = min(skipped, an);
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (less(a[middle], b[skipped - middle - 1]))
      low = middle + 1;
    else
      high = middle;
  }
  uint i = low, j = skipped - low;
  for (uint k = 0; k < kMerged && i + j < an + bn; ++k) {
    const bool first_run = j >= bn || (i < an && less(a[i], b[j]));
    to[row + start + i + j] = first_run ? a[i] : b[j];
    if (first_run)
      ++i;
    else
      ++j;
  }
}

kernel void write_sorted(device const Item* items [[buffer(0)]], device const ELEMENT* in [[buffer(1)]],
                         device ELEMENT* values [[buffer(2)]], device long* indices [[buffer(3)]],
                         constant Sorting& s [[buffer(4)]], uint2 position [[thread_position_in_grid]]) {
  const uint column = position.x;
  if (column >= s.columns) return;
  const ulong row = position.y, to = row * s.columns + column;
  const uint at = items[row * s.n + column].at;
  values[to] = in[row * s.n + at];
  indices[to] = at;
}

// The items of a row below the key.
inline uint count_below(device const Item* items, uint n, KEY key) {
  uint low = 0, high = n;
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (items[middle].key < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct Selecting {
  uint rows, n;
  uint place;    // of the result in a sorted row, if `median` is 0
  uint median;   // 1: the median, NaN if there is one; 2: of what is not NaN
  uint has_nan;  // whether the largest key is NaN
};

// A thread a row.
kernel void select_sorted(device const Item* items [[buffer(0)]], device const ELEMENT* in [[buffer(1)]],
                          device ELEMENT* values [[buffer(2)]], device long* indices [[buffer(3)]],
                          constant Selecting& s [[buffer(4)]], uint row [[thread_position_in_grid]]) {
  if (row >= s.rows) return;
  device const Item* sorted = items + ulong(row) * s.n;
  uint place = s.place;
  if (s.median) {
    const uint numbers = s.has_nan ? count_below(sorted, s.n, KEY(~KEY(0))) : s.n;
    place = numbers > 0 ? (numbers - 1) / 2 : 0;
    if (s.median == 1 && numbers < s.n) place = numbers;
  }
  const uint at = sorted[place].at;
  values[row] = in[ulong(row) * s.n + at];
  indices[row] = at;
}

// A thread a row: the longest run of equal keys, the first of several, and its last place.
kernel void mode_sorted(device const Item* items [[buffer(0)]], device const ELEMENT* in [[buffer(1)]],
                        device ELEMENT* values [[buffer(2)]], device long* indices [[buffer(3)]],
                        constant Selecting& s [[buffer(4)]], uint row [[thread_position_in_grid]]) {
  if (row >= s.rows) return;
  device const Item* sorted = items + ulong(row) * s.n;
  uint best = 0, most = 0, length = 0;
  for (uint i = 0; i < s.n; ++i) {
    length = i > 0 && sorted[i].key == sorted[i - 1].key ? length + 1 : 1;
    if (length > most) {
      most = length;
      best = sorted[i].at;
    }
  }
  values[row] = in[ulong(row) * s.n + best];
  indices[row] = best;
}
