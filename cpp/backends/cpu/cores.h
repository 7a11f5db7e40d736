#pragma once
// How many cores this process may use.

namespace mlx::cpu {

// The cores of the affinity mask, or fewer where the control group's quota is lower. On Apple silicon the
// performance cores: a kernel that is split evenly waits for the slowest core. At least 1.
int available_cores();

}  // namespace mlx::cpu
