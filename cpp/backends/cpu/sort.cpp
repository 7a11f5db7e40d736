// Sorting and selecting along rows. Short rows are sorted by comparison; long ones by their digits, least
// significant first (which is stable); very long ones in parts, side by side, that are merged.

#include <algorithm>
#include <memory>
#include <numeric>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/sort_keys.h"
#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 8192;
constexpr int64_t kComparisons = 384;           // below this, comparing is quicker than counting digits
constexpr int64_t kShortRow = 128;              // of topk
constexpr int64_t kLongRow = int64_t{1} << 17;  // sorted in parts
constexpr int64_t kParts = 4;

template <class Item>
using Buffer = std::unique_ptr<Item[]>;

// Uninitialised memory.
template <class Item>
Buffer<Item> buffer(int64_t n) {
  return std::make_unique_for_overwrite<Item[]>(static_cast<size_t>(n));
}

template <class Item, int kBits>
void radix_sort(Item* items, Item* spare, int64_t n) {
  using Key = typename Item::Key;
  constexpr int key_bits = 8 * sizeof(Key), passes = ceil_div(key_bits, kBits);
  constexpr int64_t buckets = int64_t{1} << kBits;
  auto counts = std::make_unique<int64_t[]>(static_cast<size_t>(passes * buckets));
  for (int64_t i = 0; i < n; ++i) {
    const Key key = items[i].key();
    for (int p = 0; p < passes; ++p)
      ++counts[static_cast<size_t>(p * buckets + static_cast<int64_t>(key >> (p * kBits) & (buckets - 1)))];
  }
  Item *from = items, *to = spare;
  for (int p = 0; p < passes; ++p) {
    int64_t* count = counts.get() + p * buckets;
    const auto digit = [p](const Item& item) {
      return static_cast<size_t>(item.key() >> (p * kBits) & (buckets - 1));
    };
    if (count[digit(from[0])] == n) continue;  // one digit for all
    std::exclusive_scan(count, count + buckets, count, int64_t{0});
    for (int64_t i = 0; i < n; ++i) to[count[digit(from[i])]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy_n(from, n, items);
}

template <class Item>
void sort_part(Item* items, Item* spare, int64_t n) {
  if (n < kComparisons)
    std::sort(items, items + n);
  else if (n < 65536)
    radix_sort<Item, 8>(items, spare, n);
  else
    radix_sort<Item, 11>(items, spare, n);
}

// How many of the first `count` merged elements come from `a`.
template <class Item>
int64_t split_of_merge(const Item* a, int64_t an, const Item* b, int64_t bn, int64_t count) {
  int64_t low = std::max<int64_t>(0, count - bn), high = std::min(count, an);
  while (low < high) {
    const int64_t i = (low + high) / 2;
    if (a[i] < b[count - i - 1])
      low = i + 1;
    else
      high = i;
  }
  return low;
}

template <class Item>
void merge_parts(const Item* from, Item* to, int64_t begin, int64_t middle, int64_t end, int64_t piece,
                 int64_t pieces) {
  const Item *a = from + begin, *b = from + middle;
  const int64_t an = middle - begin, bn = end - middle, n = an + bn;
  const int64_t first = piece * n / pieces, last = (piece + 1) * n / pieces;
  const int64_t i = split_of_merge(a, an, b, bn, first), j = split_of_merge(a, an, b, bn, last);
  std::merge(a + i, a + j, b + (first - i), b + (last - j), to + begin + first);
}

// Sorts in fixed parts, so that the work is the same at any number of threads.
template <class Item>
void sort_items(Item* items, Item* spare, int64_t n) {
  if (n < kLongRow || in_parallel_region()) return sort_part(items, spare, n);
  const auto bound = [n](int64_t part) { return part * n / kParts; };
  parallel_for(0, kParts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      sort_part(items + bound(p), spare + bound(p), bound(p + 1) - bound(p));
  });
  parallel_for(0, 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t half = i / 2 * 2;
      merge_parts(items, spare, bound(half), bound(half + 1), bound(half + 2), i % 2, int64_t{2});
    }
  });
  parallel_for(0, 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) merge_parts(spare, items, int64_t{0}, bound(2), n, i, int64_t{4});
  });
}

// Keys and places of a row, in the order that is asked for.
template <class Item, class T>
void fill_items(const T* x, int64_t n, bool descending, Item* items) {
  using Key = typename Item::Key;
  const Key flip = descending ? ~Key(0) : Key(0);
  for (int64_t i = 0; i < n; ++i) items[i] = Item(static_cast<Key>(order_key(x[i])) ^ flip, i);
}

// Calls body(row, items, spare) for each row, with room for its items.
template <class Item, class Body>
void for_rows(int64_t rows, int64_t n, bool spare, Body&& body) {
  parallel_for(0, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 auto items = buffer<Item>(n), second = buffer<Item>(spare ? n : 0);
                 for (int64_t r = begin; r < end; ++r) body(r, items.get(), second.get());
               });
}

// The C++ type of the elements and the kind of item that holds their keys.
template <class Body>
void with_items(const Tensor& in, int64_t n, Body&& body) {
  visit(in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      throw NotImplementedError("complex numbers have no order");
    } else {
      if constexpr (sizeof(KeyOf<T>) == 4) {
        if (packs<T>(n)) return body(T{}, PackedItem{});
      }
      body(T{}, WideItem{});
    }
  });
}

void sort(const Sort& k, const Launch& launch) {
  const Tensor &in = launch.in(0), &values = launch.out(0), &indices = launch.out(1);
  const int64_t n = in.size(1);
  with_items(in, n, [&](auto zero, auto item) {
    using T = decltype(zero);
    using Item = decltype(item);
    const auto one = [&](int64_t r, Item* items, Item* spare) {
      const T* x = in.data<T>() + r * n;
      fill_items(x, n, k.descending, items);
      sort_items(items, spare, n);
      T* y = values.data<T>() + r * n;
      int64_t* at = indices.data<int64_t>() + r * n;
      for (int64_t i = 0; i < n; ++i) {
        at[i] = items[i].place();
        y[i] = x[at[i]];
      }
    };
    if (in.size(0) == 1) {  // all threads for the one row
      auto items = buffer<Item>(n), spare = buffer<Item>(n);
      return one(0, items.get(), spare.get());
    }
    for_rows<Item>(in.size(0), n, true, one);
  });
}

// The k first of a row in order. Candidates that beat the k-th best so far are collected; when there are
// many, the k best of them stay and the bar rises.
template <class Item, class T>
int64_t best_items(const T* x, int64_t n, int64_t k, bool largest, Item* items, int64_t capacity) {
  using Key = typename Item::Key;
  const Key flip = largest ? ~Key(0) : Key(0);
  int64_t count = 0;
  Key bar = ~Key(0);
  for (int64_t begin = 0; begin < n;) {
    const int64_t end = std::min(n, begin + capacity - count);
    for (int64_t i = begin; i < end; ++i) {
      const Key key = static_cast<Key>(order_key(x[i])) ^ flip;
      items[count] = Item(key, i);
      count += key <= bar;
    }
    begin = end;
    if (count > k && (count == capacity || begin == n)) {
      std::nth_element(items, items + k - 1, items + count);
      count = k;
      bar = items[k - 1].key();
    }
  }
  std::sort(items, items + std::min(count, k));
  return std::min(count, k);
}

// Rows so short that collecting candidates does not pay. Equal elements come as the standard library's
// selection leaves them, which is what PyTorch gives.
template <class Item, class T>
void best_of_short(const T* x, int64_t n, int64_t k, bool largest, Item* items) {
  fill_items(x, n, largest, items);
  const auto less = [](const Item& a, const Item& b) { return a.key() < b.key(); };
  if (k * 64 <= n) {
    std::partial_sort(items, items + k, items + n, less);
  } else {
    std::nth_element(items, items + k - 1, items + n, less);
    std::sort(items, items + k - 1, less);
  }
}

void topk(const TopK& t, const Launch& launch) {
  const Tensor &in = launch.in(0), &values = launch.out(0), &indices = launch.out(1);
  const int64_t n = in.size(1), k = values.size(1);
  const bool is_short = n <= kShortRow, sorts = !is_short && k > n / 8;
  const int64_t capacity = sorts || is_short ? n : std::min(n, 2 * k + 256);
  with_items(in, n, [&](auto zero, auto item) {
    using T = decltype(zero);
    using Item = decltype(item);
    parallel_for(0, in.size(0), std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
      auto items = buffer<Item>(capacity + 1), spare = buffer<Item>(sorts ? n : 0);
      for (int64_t r = begin; r < end; ++r) {
        const T* x = in.data<T>() + r * n;
        if (is_short) {
          best_of_short(x, n, k, t.largest, items.get());
        } else if (sorts) {
          fill_items(x, n, t.largest, items.get());
          sort_part(items.get(), spare.get(), n);
        } else {
          best_items(x, n, k, t.largest, items.get(), capacity);
        }
        for (int64_t i = 0; i < k; ++i) {
          const int64_t at = items[static_cast<size_t>(i)].place();
          indices.data<int64_t>()[r * k + i] = at;
          values.data<T>()[r * k + i] = x[at];
        }
      }
    });
  });
}

template <class T>
int64_t count_nan(const T* x, int64_t n) {
  if constexpr (std::is_floating_point_v<T>)
    return std::count_if(x, x + n, [](T v) { return v != v; });
  else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
    return std::count_if(x, x + n, [](T v) { return static_cast<float>(v) != static_cast<float>(v); });
  else
    return 0;
}

// Hoare's selection with the median of three as the pivot. Which of several equal elements comes to lie at
// `place` is that of PyTorch's kthvalue, which goes the same way.
template <class Item>
void quickselect(Item* items, int64_t n, int64_t place) {
  const auto after = [](const Item& a, const Item& b) { return a.key() > b.key(); };
  int64_t left = 0, right = n - 1;
  while (right > left) {
    if (right == left + 1) {
      if (after(items[left], items[right])) std::swap(items[left], items[right]);
      return;
    }
    std::swap(items[left + (right - left) / 2], items[left + 1]);
    if (after(items[left + 1], items[right])) std::swap(items[left + 1], items[right]);
    if (after(items[left], items[right])) std::swap(items[left], items[right]);
    if (after(items[left + 1], items[left])) std::swap(items[left + 1], items[left]);
    const Item pivot = items[left];
    int64_t i = left + 1, j = right;
    for (;;) {
      while (after(pivot, items[++i])) {
      }
      while (after(items[--j], pivot)) {
      }
      if (j < i) break;
      std::swap(items[i], items[j]);
    }
    std::swap(items[left], items[j]);
    if (j <= place) left = i;
    if (j >= place) right = j - 1;
  }
}

void select(const Select& k, const Launch& launch) {
  const Tensor &in = launch.in(0), &values = launch.out(0), &indices = launch.out(1);
  const int64_t n = in.size(1);
  with_items(in, n, [&](auto zero, auto item) {
    using T = decltype(zero);
    using Item = decltype(item);
    for_rows<Item>(in.size(0), n, false, [&](int64_t r, Item* items, Item*) {
      const T* x = in.data<T>() + r * n;
      fill_items(x, n, false, items);
      const int64_t nans = k.kind == Selection::Kth ? 0 : count_nan(x, n), numbers = n - nans;
      int64_t place = k.kind == Selection::Kth ? k.k : std::max<int64_t>(numbers - 1, 0) / 2;
      if (k.kind == Selection::Median && nans) place = numbers;
      if (k.kind == Selection::Kth)
        quickselect(items, n, place);
      else
        std::nth_element(items, items + place, items + n);
      const int64_t at = items[place].place();
      indices.data<int64_t>()[r] = at;
      values.data<T>()[r] = x[at];
    });
  });
}

void mode(const Mode&, const Launch& launch) {
  const Tensor &in = launch.in(0), &values = launch.out(0), &indices = launch.out(1);
  const int64_t n = in.size(1);
  with_items(in, n, [&](auto zero, auto item) {
    using T = decltype(zero);
    using Item = decltype(item);
    for_rows<Item>(in.size(0), n, false, [&](int64_t r, Item* items, Item*) {
      const T* x = in.data<T>() + r * n;
      fill_items(x, n, false, items);
      std::sort(items, items + n, [](const Item& a, const Item& b) { return a.key() < b.key(); });
      int64_t best = 0, most = 0;
      for (int64_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && items[end].key() == items[begin].key(); ++end) {
        }
        if (end - begin > most) {
          most = end - begin;
          best = items[end - 1].place();
        }
      }
      indices.data<int64_t>()[r] = best;
      values.data<T>()[r] = x[best];
    });
  });
}

CPU_KERNEL(Sort, sort);
CPU_KERNEL(TopK, topk);
CPU_KERNEL(Select, select);
CPU_KERNEL(Mode, mode);

}  // namespace
}  // namespace mlx::cpu
