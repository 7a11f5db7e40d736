#include "memory/system_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace mlx {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMapFrom = size_t{4} << 20;

size_t round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Pages that start at a huge page's border, so that the kernel can back them with huge ones: a page fault
// for every 2 MiB instead of every 4 KiB.
void* map_pages(size_t bytes) {
  const size_t length = round_up(bytes, kHugePage);
  const size_t reserve = length + kHugePage;
  void* raw = mmap(nullptr, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  char* begin = static_cast<char*>(raw);
  char* aligned =
      begin + (round_up(reinterpret_cast<uintptr_t>(raw), kHugePage) - reinterpret_cast<uintptr_t>(raw));
  if (aligned != begin) munmap(begin, static_cast<size_t>(aligned - begin));
  if (char* end = begin + reserve; end != aligned + length) {
    munmap(aligned + length, static_cast<size_t>(end - (aligned + length)));
  }
#ifdef MADV_HUGEPAGE
  madvise(aligned, length, MADV_HUGEPAGE);
#endif
  return aligned;
}

// The number in a one-line file; `otherwise` when it is missing or says "max".
size_t read_limit(const char* path, size_t otherwise) {
  std::ifstream file(path);
  size_t limit = 0;
  return file >> limit ? limit : otherwise;
}

}  // namespace

void* SystemMemory::acquire(size_t bytes) noexcept {
  if (bytes >= kMapFrom) return map_pages(bytes);
  return std::aligned_alloc(kAlignment, round_up(bytes, kAlignment));
}

void SystemMemory::release(void* p, size_t bytes) noexcept {
  if (bytes >= kMapFrom) {
    munmap(p, round_up(bytes, kHugePage));
  } else {
    std::free(p);
  }
}

size_t total_memory() {
  const size_t machine =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t version2 = read_limit("/sys/fs/cgroup/memory.max", machine);
  const size_t version1 = read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes", machine);
  return std::min({machine, version2, version1});
}

}  // namespace mlx
