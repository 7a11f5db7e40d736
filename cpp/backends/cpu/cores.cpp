#include "backends/cpu/cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <sched.h>
#endif

namespace mlx::cpu {
namespace {

int all_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

#if defined(__APPLE__)

int permitted_cores() {
  int cores = 0;
  size_t size = sizeof cores;
  const bool known = sysctlbyname("hw.perflevel0.logicalcpu", &cores, &size, nullptr, 0) == 0;
  return known && cores > 0 ? cores : all_cores();
}

#else

int cores_of_quota(double quota, double period, int otherwise) {
  if (quota <= 0 || period <= 0) return otherwise;
  return static_cast<int>(std::ceil(quota / period));
}

// The control group's share of processor time, as a number of cores.
int quota_cores(int otherwise) {
  double quota = 0, period = 0;
  // Version 2 has "max 100000" when there is no limit, which reads as no number.
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file >> quota >> period) {
    return cores_of_quota(quota, period, otherwise);
  }
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period) return cores_of_quota(quota, period, otherwise);
  return otherwise;
}

int permitted_cores() {
  cpu_set_t mask;
  const int cores = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : all_cores();
  return std::min(cores, quota_cores(cores));
}

#endif

}  // namespace

int available_cores() { return std::max(1, permitted_cores()); }

}  // namespace mlx::cpu
