#pragma once
// Whether ops are recorded: a flag a thread.

#include "tensor/tensor.h"

namespace mlx {

struct GradMode {
  static bool enabled() { return enabled_; }
  static void set(bool on) { enabled_ = on; }
  static bool inference() { return InferenceMode::on; }
  static void set_inference(bool on) { InferenceMode::on = on; }
  // Anomaly mode keeps the forward line of every op and checks gradients for NaN.
  static bool anomaly() { return anomaly_; }
  static bool anomaly_check_nan() { return anomaly_check_nan_; }
  static void set_anomaly(bool on, bool check_nan) {
    anomaly_ = on;
    anomaly_check_nan_ = check_nan;
  }

 private:
  static inline constinit MLX_FAST_THREAD_LOCAL bool enabled_ = true;
  static inline bool anomaly_ = false;
  static inline bool anomaly_check_nan_ = true;
};

class GradModeGuard {
 public:
  explicit GradModeGuard(bool on) : before_(GradMode::enabled()) { GradMode::set(on); }
  ~GradModeGuard() { GradMode::set(before_); }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  bool before_;
};

}  // namespace mlx
