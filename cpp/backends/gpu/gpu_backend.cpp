#include "backends/gpu/gpu_backend.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backends/gpu/kernel_text.h"
#include "memory/caching_allocator.h"

namespace mlx::gpu {
namespace {

std::vector<Plan>& plans() {
  static std::vector<Plan> list;
  return list;
}

Plan plan_of(int kernel) {
  const auto k = static_cast<size_t>(kernel);
  return k < plans().size() ? plans()[k] : nullptr;
}

std::array<Runtime*, 3> g_runtimes{};

// ---- launches that the CPU does

std::mutex g_fallback_mutex;
std::map<std::string, int64_t> g_fallbacks;

// While the CPU's kernels work in a GPU's memory, what they launch on its tensors is the CPU's too.
thread_local bool g_on_cpu = false;

std::string fallback_name(const Launch& l) {
  std::string what = kernel_name(l.kernel);
  if (l.kernel == kernel_number<Pointwise>()) what += str(": ", name(l.as<Pointwise>().formula));
  return what;
}

void run_on_cpu(const Launch& l, Runtime& runtime) {
  {
    const std::lock_guard lock(g_fallback_mutex);
    ++g_fallbacks[fallback_name(l)];
  }
  for (const Tensor* t : l.inputs)
    if (t->defined() && t->numel() && t->device().type != DeviceType::CPU)
      runtime.wait(t->storage()->data(), false);
  for (const Tensor* t : l.outputs)
    if (t->defined() && t->numel()) runtime.wait(t->storage()->data(), true);
  struct OnCpu {
    OnCpu() { g_on_cpu = true; }
    ~OnCpu() { g_on_cpu = false; }
  } on_cpu;
  backend(DeviceType::CPU).run(l);
}

class GpuBackend : public Backend {
 public:
  explicit GpuBackend(Runtime& runtime) : runtime_(runtime) {}

  void run(const Launch& launch) override {
    if (g_on_cpu) return backend(DeviceType::CPU).run(launch);
    if (std::all_of(launch.outputs.begin(), launch.outputs.end(),
                    [](const Tensor* t) { return !t->defined() || t->numel() == 0; }) &&
        !launch.outputs.empty())
      return;
    Plan plan = plan_of(launch.kernel);
    if (!plan || !plan(launch, runtime_)) run_on_cpu(launch, runtime_);
  }
  void synchronize() override { runtime_.synchronize(); }

 private:
  Runtime& runtime_;
};

// The caching allocator over a device's memory, which the host may look at once queued work is done.
class GpuAllocator : public CachingAllocator {
 public:
  explicit GpuAllocator(Runtime& runtime)
      : CachingAllocator(runtime, total_memory() / 4), runtime_(runtime) {}
  void* allocate(size_t bytes) override {
    void* p = CachingAllocator::allocate(bytes);
    // Queued work may still use what the block held before; the CPU, unlike the queue, would not come after
    // it.
    if (g_on_cpu && p) runtime_.wait(p, true);
    return p;
  }
  void wait(void* p) override { runtime_.wait(p, false); }
  void share(void* p) override {
    runtime_.wait(p, true);
    runtime_.share_with_host(p, true);
  }
  void deallocate(void* p, size_t bytes) noexcept override {
    if (p) runtime_.share_with_host(p, false);
    CachingAllocator::deallocate(p, bytes);
  }

 private:
  Runtime& runtime_;
};

}  // namespace

void register_plan(int kernel, Plan plan) {
  const auto k = static_cast<size_t>(kernel);
  if (plans().size() <= k) plans().resize(k + 1);
  plans()[k] = plan;
}

void register_runtime(DeviceType type, Runtime& runtime) {
  // Never destroyed: tensors may be freed while the process exits.
  g_runtimes[static_cast<size_t>(type)] = &runtime;
  register_allocator(type, std::make_unique<GpuAllocator>(runtime).release());
  register_backend(type, std::make_unique<GpuBackend>(runtime).release());
}

Runtime* runtime_of(DeviceType type) { return g_runtimes[static_cast<size_t>(type)]; }

std::vector<Fallback> fallbacks() {
  const std::lock_guard lock(g_fallback_mutex);
  std::vector<Fallback> list;
  for (const auto& [name, count] : g_fallbacks) list.push_back({name, count});
  return list;
}

std::vector<std::string> kernels_left_to_cpu() {
  std::vector<std::string> names;
  for (int k = 0; k < kernel_count(); ++k)
    if (!plan_of(k)) names.push_back(kernel_name(k));
  for (int f = 0; f < kFormulaCount; ++f)
    for (DType type : {DType::UInt8, DType::Int32, DType::Int64, DType::Float32, DType::Complex64})
      if (formula_text(static_cast<Formula>(f), type).lacking)
        names.push_back(str("pointwise: ", name(static_cast<Formula>(f)), ", ", name(type)));
  return names;
}

const Kernel* kernel(Runtime& runtime, const char* file, const char* function,
                     std::initializer_list<Definition> definitions) {
  static std::mutex mutex;
  static std::unordered_map<std::string, const Kernel*> kernels;
  std::string key = str(&runtime, ' ', file, ' ', function), head;
  for (const Definition& d : definitions) key += str(' ', d.name, '=', d.text);
  const std::lock_guard lock(mutex);
  const Kernel*& found = kernels[key];
  if (found) return found;
  for (const Definition& d : definitions) head += str("#define ", d.name, ' ', d.text, '\n');
  return found = runtime.kernel(str(kernel_text("prelude"), head, kernel_text(file)), function);
}

}  // namespace mlx::gpu
