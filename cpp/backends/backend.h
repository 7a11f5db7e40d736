#pragma once
// The seam: what a device must provide. Ops launch kernels by type (the structs in kernels.h);
// a backend holds one function for each kernel that it has.

#include <span>

#include "backends/kernels.h"
#include "tensor/tensor.h"

namespace mlx {

// One launch: a kernel, its parameters (a trivially copyable struct of kernels.h), what it
// writes and what it reads. Missing optional inputs are undefined tensors.
struct Launch {
  int kernel;
  const void* params;
  size_t params_size;
  std::span<const Tensor* const> outputs;
  std::span<const Tensor* const> inputs;

  template <class K>
  const K& as() const {
    return *static_cast<const K*>(params);
  }
  const Tensor& out(size_t i = 0) const { return *outputs[i]; }
  const Tensor& in(size_t i) const { return *inputs[i]; }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual void run(const Launch& launch) = 0;
  // Returns when everything that was launched has finished.
  virtual void synchronize() {}
};

// The backend of a device; RuntimeError names the devices there are when it is missing.
Backend& backend(DeviceType type);
void register_backend(DeviceType type, Backend* b);
bool has_backend(DeviceType type);

// What is known of a kernel beside its function.
struct KernelTraits {
  const char* name;
  bool random;                          // its parameters begin with a seed and a position
  bool (*updates)(const void* params);  // whether it reads what its outputs held before
};

template <class K>
constexpr KernelTraits traits_of() {
  return {K::name, requires(K k) { k.seed, k.position; },
          [](const void* params) {
            if constexpr (requires(const K k) { k.updates(); })
              return static_cast<const K*>(params)->updates();
            else
              return (static_cast<void>(params), false);
          }};
}

// Every kernel type gets a number the first time it is named.
int next_kernel_number(const KernelTraits& traits);
const KernelTraits& kernel_traits(int kernel);
int kernel_count();
inline const char* kernel_name(int kernel) { return kernel_traits(kernel).name; }

template <class K>
int kernel_number() {
  static const int number = next_kernel_number(traits_of<K>());
  return number;
}

void launch(const Launch& launch);

// What takes the place of the backends on a thread that traces a function: it writes the launches down.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void record(const Launch& launch) = 0;

  static Recorder* current() { return current_; }
  static void set_current(Recorder* recorder) {
    current_ = recorder;
    Tracing::on = recorder != nullptr;
  }

 private:
  static inline constinit MLX_FAST_THREAD_LOCAL Recorder* current_ = nullptr;
};

// Called around launches on large tensors, so that other threads of the host language may run
// meanwhile: `leave` returns what `enter` takes. Set by the bindings.
struct LongWork {
  void* (*leave)() = nullptr;
  void (*enter)(void* state) = nullptr;
};
void set_long_work(LongWork hooks);
// From this many elements on a launch outlasts handing the host language's lock over and back.
inline constexpr int64_t kLongWork = 1 << 16;
// While one lives, other threads of the host language may run.
class OutsideHost {
 public:
  OutsideHost();
  ~OutsideHost();
  OutsideHost(const OutsideHost&) = delete;
  OutsideHost& operator=(const OutsideHost&) = delete;

 private:
  void* state_ = nullptr;
};

template <class K>
void launch(const K& kernel, std::initializer_list<const Tensor*> outputs,
            std::initializer_list<const Tensor*> inputs) {
  static_assert(std::is_trivially_copyable_v<K>);
  launch({kernel_number<K>(),
          &kernel,
          sizeof(K),
          {outputs.begin(), outputs.size()},
          {inputs.begin(), inputs.size()}});
}

template <class K>
void launch(const K& kernel, std::span<const Tensor* const> outputs, std::span<const Tensor* const> inputs) {
  static_assert(std::is_trivially_copyable_v<K>);
  launch({kernel_number<K>(), &kernel, sizeof(K), outputs, inputs});
}

}  // namespace mlx
