// Random numbers. Every op takes its blocks from a generator first, so that what it draws depends on the seed
// and on the ops before it alone.

#include <limits>

#include "backends/backend.h"
#include "ops/check.h"
#include "ops/update.h"

namespace mlx {
namespace {

constexpr int64_t kGroup = 16;  // blocks that are drawn together

struct Draw {
  uint64_t seed, position;
};

// Room for `words` 32-bit words.
Draw draw(const Ref<Generator>& generator, int64_t words) {
  Generator& g = generator ? *generator : *default_generator();
  const uint64_t groups = static_cast<uint64_t>((words + 63) / 64);
  return {g.seed(), g.take(groups * kGroup)};
}

// Two words an element: enough for every dtype and distribution.
void sample(const Tensor& out, const Ref<Generator>& generator, Distribution distribution, double a, double b,
            int64_t low = 0, uint64_t range = 0) {
  const Draw d = draw(generator, 2 * out.numel());
  if (out.numel())
    launch(Random{d.seed, d.position, distribution, a, b, low, range}, {&out},
           std::initializer_list<const Tensor*>{});
}

// Overwrites `self`, whose old elements then have no gradient.
Tensor sample_in_place(const Tensor& self, const char* op, const Ref<Generator>& generator,
                       Distribution distribution, double a, double b, int64_t low = 0, uint64_t range = 0) {
  return update_in_place(
      self, {}, op, [&](const Tensor& t) { sample(t, generator, distribution, a, b, low, range); },
      [&](const Tensor& old) {
        Tensor out = allocate(old.shape(), old.dtype(), old.device());
        sample(out, generator, distribution, a, b, low, range);
        return out;
      });
}

void check_floating(const char* op, DType dtype, bool complex_too = false) {
  if (is_floating(dtype) || (complex_too && is_complex(dtype))) return;
  throw NotImplementedError("\"", op, "\" not implemented for '", short_name(dtype), "'");
}

Tensor new_tensor(const Shape& size, std::optional<DType> dtype, std::optional<Device> device) {
  return allocate(size, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
}

Tensor uniform(const Tensor& out, const Ref<Generator>& generator) {
  check_floating("rand", out.dtype(), true);
  if (out.is_complex())
    sample(view_as_real(out), generator, Distribution::Uniform, 0, 1);
  else
    sample(out, generator, Distribution::Uniform, 0, 1);
  return out;
}

// A complex normal number has variance one: half of it in each part.
Tensor normal_numbers(const Tensor& out, const Ref<Generator>& generator, double mean = 0,
                      double deviation = 1) {
  check_floating("normal_kernel_cpu", out.dtype(), true);
  if (!out.is_complex()) {
    sample(out, generator, Distribution::Normal, mean, deviation);
    return out;
  }
  GradModeGuard off(false);
  sample(view_as_real(out), generator, Distribution::Normal, 0, deviation * std::sqrt(0.5));
  if (mean != 0) copy_data(out, add(out, Scalar(mean)));
  return out;
}

Tensor integers(const Tensor& out, const Ref<Generator>& generator, int64_t low, int64_t high) {
  if (low >= high)
    throw RuntimeError("randint(): random_ expects 'from' to be less than 'to', but got from=", low,
                       " >= to=", high);
  if (out.is_complex())
    throw NotImplementedError("\"randint\" not implemented for '", short_name(out.dtype()), "'");
  sample(out, generator, Distribution::Integer, 0, 0, low,
         static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  return out;
}

// The numbers that random_() may draw without bounds: all that a dtype holds exactly, from zero on.
uint64_t whole_range(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return 2;
    case DType::Float16:
      return (1u << 11) + 1;
    case DType::BFloat16:
      return (1u << 8) + 1;
    case DType::Float32:
      return (1u << 24) + 1;
    case DType::Float64:
      return (uint64_t{1} << 53) + 1;
    case DType::UInt8:
      return 256;
    case DType::Int8:
      return 128;
    case DType::Int16:
      return 1u << 15;
    case DType::Int32:
      return uint64_t{1} << 31;
    default:
      return uint64_t{1} << 63;
  }
}

}  // namespace

// ---- new tensors

// Numbers drawn evenly from [0, 1).
OP("rand(int[] size, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor rand(const Shape& size, const Ref<Generator>& generator, std::optional<DType> dtype,
            std::optional<Device> device) {
  return uniform(new_tensor(size, dtype, device), generator);
}
OP("rand_like(Tensor input, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, "
   "device? device=None, bool requires_grad=False, bool pin_memory=False, memory_format? "
   "memory_format=None) -> Tensor");
Tensor rand_like(const Tensor& input, const Ref<Generator>& generator, std::optional<DType> dtype,
                 std::optional<Device> device) {
  return uniform(new_tensor(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device())),
                 generator);
}

// Numbers drawn from the normal distribution of mean zero and variance one.
OP("randn(int[] size, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor randn(const Shape& size, const Ref<Generator>& generator, std::optional<DType> dtype,
             std::optional<Device> device) {
  return normal_numbers(new_tensor(size, dtype, device), generator);
}
OP("randn_like(Tensor input, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, "
   "device? device=None, bool requires_grad=False, bool pin_memory=False, memory_format? "
   "memory_format=None) -> Tensor");
Tensor randn_like(const Tensor& input, const Ref<Generator>& generator, std::optional<DType> dtype,
                  std::optional<Device> device) {
  return normal_numbers(
      new_tensor(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device())), generator);
}

// Integers drawn evenly from low ... high - 1.
OP("randint(int high, int[] size, *, Generator? generator=None, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor randint(int64_t high, const Shape& size, const Ref<Generator>& generator, std::optional<DType> dtype,
               std::optional<Device> device) {
  return integers(new_tensor(size, dtype.value_or(DType::Int64), device), generator, 0, high);
}
OP("randint(int low, int high, int[] size, *, Generator? generator=None, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor randint(int64_t low, int64_t high, const Shape& size, const Ref<Generator>& generator,
               std::optional<DType> dtype, std::optional<Device> device) {
  return integers(new_tensor(size, dtype.value_or(DType::Int64), device), generator, low, high);
}
OP("randint_like(Tensor input, int high, *, Generator? generator=None, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False, memory_format? "
   "memory_format=None) -> Tensor");
Tensor randint_like(const Tensor& input, int64_t high, const Ref<Generator>& generator,
                    std::optional<DType> dtype, std::optional<Device> device) {
  return randint_like(input, 0, high, generator, dtype, device);
}
OP("randint_like(Tensor input, int low, int high, *, Generator? generator=None, dtype? dtype=None, "
   "layout? layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False, "
   "memory_format? memory_format=None) -> Tensor");
Tensor randint_like(const Tensor& input, int64_t low, int64_t high, const Ref<Generator>& generator,
                    std::optional<DType> dtype, std::optional<Device> device) {
  return integers(new_tensor(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device())),
                  generator, low, high);
}

// The numbers 0 ... n - 1 in random order.
OP("randperm(int n, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor randperm(int64_t n, const Ref<Generator>& generator, std::optional<DType> dtype,
                std::optional<Device> device) {
  if (n < 0) throw RuntimeError("randperm(): n must be non-negative, got ", n);
  Tensor out = new_tensor({n}, dtype.value_or(DType::Int64), device);
  const Draw d = draw(generator, 2 * n);
  if (n) launch(RandomPermutation{d.seed, d.position}, {&out}, std::initializer_list<const Tensor*>{});
  return out;
}

// ---- numbers whose distribution is given by tensors

namespace {

void check_deviations(const Tensor& std) {
  raise_if_any(logical_not(ge(std, 0)), Check::Runtime, "normal expects all elements of std >= 0.0");
}

// mean + std * standard, as drawn numbers: no gradient passes to the parameters, which have zeros.
Tensor scaled_numbers(const Tensor& mean, const Tensor& std, const Tensor& standard) {
  Tensor out = [&] {
    GradModeGuard off(false);
    return alias(add(mean, mul(std, standard)));
  }();
  return record("Normal", out, {&mean, &std},
                [](Backward& b) -> Grads { return {zeros_like(b.grad()), zeros_like(b.grad())}; });
}

}  // namespace

// Normal numbers with the given means and standard deviations; numbers or tensors.
OP("normal(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor");
Tensor normal(const Tensor& mean, const Tensor& std, const Ref<Generator>& generator) {
  check_deviations(std);
  DType dtype = result_type({&mean, &std});
  Tensor standard = normal_numbers(
      allocate(broadcast_shapes(mean.shape(), std.shape(), "normal"), dtype, mean.device()), generator);
  return scaled_numbers(mean, std, standard);
}
OP("normal(Tensor mean, float std=1, *, Generator? generator=None) -> Tensor");
Tensor normal(const Tensor& mean, double std, const Ref<Generator>& generator) {
  if (std < 0) throw RuntimeError("normal expects std >= 0.0, but found std ", std);
  Tensor standard = normal_numbers(allocate(mean.shape(), mean.dtype(), mean.device()), generator);
  return scaled_numbers(mean, wrapped_number(std), standard);
}
OP("normal(float mean, Tensor std, *, Generator? generator=None) -> Tensor");
Tensor normal(double mean, const Tensor& std, const Ref<Generator>& generator) {
  check_deviations(std);
  Tensor standard = normal_numbers(allocate(std.shape(), std.dtype(), std.device()), generator);
  return scaled_numbers(wrapped_number(mean), std, standard);
}
OP("normal(float mean, float std, int[] size, *, Generator? generator=None, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor normal(double mean, double std, const Shape& size, const Ref<Generator>& generator,
              std::optional<DType> dtype, std::optional<Device> device) {
  if (std < 0) throw RuntimeError("normal expects std >= 0.0, but found std ", std);
  return normal_numbers(new_tensor(size, dtype, device), generator, mean, std);
}

// Ones with the probabilities that the input holds, else zeros.
OP("bernoulli(Tensor input, *, Generator? generator=None) -> Tensor");
Tensor bernoulli(const Tensor& input, const Ref<Generator>& generator) {
  check_floating("bernoulli", input.dtype());
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  const Draw d = draw(generator, 2 * out.numel());
  if (out.numel()) launch(RandomBernoulli{d.seed, d.position}, {&out}, {&input});
  return record("Bernoulli", out, {&input}, [](Backward& b) -> Grads { return {zeros_like(b.grad())}; });
}
OP("bernoulli(Tensor input, float p, *, Generator? generator=None) -> Tensor");
Tensor bernoulli(const Tensor& input, double p, const Ref<Generator>& generator) {
  if (!(p >= 0 && p <= 1))
    throw RuntimeError("bernoulli(): bernoulli_ expects p to be in [0, 1], but got p=", p);
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  sample(out, generator, Distribution::Bernoulli, p, 0);
  return record("Bernoulli", out, {&input}, [](Backward& b) -> Grads { return {zeros_like(b.grad())}; });
}

// Poisson numbers with the means that the input holds.
OP("poisson(Tensor input, Generator? generator=None) -> Tensor");
Tensor poisson(const Tensor& input, const Ref<Generator>& generator) {
  check_floating("poisson_cpu", input.dtype());
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  const Draw d = draw(generator, 2 * out.numel());
  if (out.numel()) launch(RandomCount{d.seed, d.position, false}, {&out}, {&input});
  return record("Poisson", out, {&input}, [](Backward& b) -> Grads { return {zeros_like(b.grad())}; });
}

// Successes in `count` tries of probability `prob`.
OP("binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor");
Tensor binomial(const Tensor& count, const Tensor& prob, const Ref<Generator>& generator) {
  check_floating("binomial_cpu", count.dtype());
  Tensor out = allocate(broadcast_shapes(count.shape(), prob.shape(), "binomial"),
                        result_type({&count, &prob}), count.device());
  const Draw d = draw(generator, 2 * out.numel());
  if (out.numel()) launch(RandomCount{d.seed, d.position, true}, {&out}, {&count, &prob});
  return out;
}

// Numbers of columns drawn with probabilities in proportion to the input's elements, row by row.
OP("multinomial(Tensor input, int num_samples, bool replacement=False, *, Generator? generator=None) "
   "-> Tensor");
Tensor multinomial(const Tensor& input, int64_t num_samples, bool replacement,
                   const Ref<Generator>& generator) {
  if (!input.is_floating())
    throw RuntimeError("multinomial only supports floating-point dtypes for input, got: ", input.dtype());
  if (input.dim() < 1 || input.dim() > 2)
    throw RuntimeError("multinomial(): prob_dist must be 1 or 2 dim, not ", input.dim());
  const int64_t categories = input.size(-1);
  if (num_samples <= 0)
    throw RuntimeError("multinomial(): cannot sample n_sample <= 0 samples, got ", num_samples);
  if (!replacement && num_samples > categories)
    throw RuntimeError(
        "multinomial(): cannot sample n_sample > prob_dist.size(-1) samples without replacement: ",
        num_samples, " > ", categories);
  GradModeGuard off(false);
  Tensor p = contiguous(to(input, widest_float(input.device()), false, false));
  const int64_t rows = input.dim() == 2 ? input.size(0) : 1;
  p = view_of(p, {rows, categories}, {categories, 1}, p.offset());
  Tensor out = allocate({rows, num_samples}, DType::Int64, input.device());
  const Draw d = draw(generator, 2 * rows * (replacement ? num_samples : categories));
  if (out.numel()) launch(RandomChoice{d.seed, d.position, replacement}, {&out}, {&p});
  return input.dim() == 2 ? out : view_of(out, {num_samples}, {1}, 0);
}

// ---- in place

// Numbers drawn evenly from [from, to).
OP("Tensor.uniform_(Tensor input, float from=0, float to=1, *, Generator? generator=None) -> Tensor");
Tensor uniform_(const Tensor& input, double from, double to, const Ref<Generator>& generator) {
  if (input.is_complex()) {  // both parts are drawn
    uniform_(view_as_real(input), from, to, generator);
    return input;
  }
  check_floating("uniform_", input.dtype());
  if (from > to)
    throw RuntimeError("uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
  return sample_in_place(input, "uniform_", generator, Distribution::Uniform, from, to);
}
OP("Tensor.normal_(Tensor input, float mean=0, float std=1, *, Generator? generator=None) -> Tensor");
Tensor normal_(const Tensor& input, double mean, double std, const Ref<Generator>& generator) {
  if (std < 0) throw RuntimeError("normal_ expects std >= 0.0, but found std ", std);
  return update_in_place(
      input, {}, "normal_", [&](const Tensor& t) { normal_numbers(t, generator, mean, std); },
      [&](const Tensor& old) {
        return normal_numbers(allocate(old.shape(), old.dtype(), old.device()), generator, mean, std);
      });
}
// Integers from `from` on and below `to`; all that the dtype can count exactly when no bounds are given.
OP("Tensor.random_(Tensor input, int from, int? to, *, Generator? generator=None) -> Tensor");
Tensor random_(const Tensor& input, int64_t from, std::optional<int64_t> to,
               const Ref<Generator>& generator) {
  if (to && from >= *to)
    throw RuntimeError("random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", *to);
  const uint64_t end = to ? static_cast<uint64_t>(*to) : whole_range(input.dtype());
  return sample_in_place(input, "random_", generator, Distribution::Integer, 0, 0, from,
                         end - static_cast<uint64_t>(from));
}
OP("Tensor.random_(Tensor input, int to, *, Generator? generator=None) -> Tensor");
Tensor random_(const Tensor& input, int64_t to, const Ref<Generator>& generator) {
  return random_(input, 0, to, generator);
}
OP("Tensor.random_(Tensor input, *, Generator? generator=None) -> Tensor");
Tensor random_(const Tensor& input, const Ref<Generator>& generator) {
  return random_(input, 0, std::nullopt, generator);
}

OP("Tensor.bernoulli_(Tensor input, Tensor p, *, Generator? generator=None) -> Tensor");
Tensor bernoulli_(const Tensor& input, const Tensor& p, const Ref<Generator>& generator) {
  auto write = [&](const Tensor& t) {
    const Draw d = draw(generator, 2 * t.numel());
    if (t.numel()) launch(RandomBernoulli{d.seed, d.position}, {&t}, {&p});
  };
  return update_in_place(input, {}, "bernoulli_", write, [&](const Tensor& old) {
    Tensor out = allocate(old.shape(), old.dtype(), old.device());
    write(out);
    return out;
  });
}
OP("Tensor.bernoulli_(Tensor input, float p=0.5, *, Generator? generator=None) -> Tensor");
Tensor bernoulli_(const Tensor& input, double p, const Ref<Generator>& generator) {
  if (!(p >= 0 && p <= 1)) throw RuntimeError("bernoulli_ expects p to be in [0, 1], but got p=", p);
  return sample_in_place(input, "bernoulli_", generator, Distribution::Bernoulli, p, 0);
}
// Waiting times of an event of rate `lambd`.
OP("Tensor.exponential_(Tensor input, float lambd=1, *, Generator? generator=None) -> Tensor");
Tensor exponential_(const Tensor& input, double lambd, const Ref<Generator>& generator) {
  check_floating("exponential_", input.dtype());
  if (!(lambd > 0)) throw RuntimeError("exponential_ expects lambda > 0.0, but found lambda=", lambd);
  return sample_in_place(input, "exponential_", generator, Distribution::Exponential, lambd, 0);
}
// Tries until the first success of probability p, from one on.
OP("Tensor.geometric_(Tensor input, float p, *, Generator? generator=None) -> Tensor");
Tensor geometric_(const Tensor& input, double p, const Ref<Generator>& generator) {
  if (!(p > 0 && p < 1)) throw RuntimeError("geometric_ expects p to be in (0, 1), but got p=", p);
  if (input.is_complex() || input.dtype() == DType::Bool)
    throw NotImplementedError("\"geometric\" not implemented for '", short_name(input.dtype()), "'");
  return sample_in_place(input, "geometric_", generator, Distribution::Geometric, p, 0);
}
OP("Tensor.cauchy_(Tensor input, float median=0, float sigma=1, *, Generator? generator=None) -> "
   "Tensor");
Tensor cauchy_(const Tensor& input, double median, double sigma, const Ref<Generator>& generator) {
  check_floating("cauchy_", input.dtype());
  if (!(sigma > 0)) throw RuntimeError("cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  return sample_in_place(input, "cauchy_", generator, Distribution::Cauchy, median, sigma);
}
OP("Tensor.log_normal_(Tensor input, float mean=1, float std=2, *, Generator? generator=None) -> "
   "Tensor");
Tensor log_normal_(const Tensor& input, double mean, double std, const Ref<Generator>& generator) {
  check_floating("log_normal_", input.dtype());
  if (!(std > 0)) throw RuntimeError("log_normal_ expects std > 0.0, but found std=", std);
  return sample_in_place(input, "log_normal_", generator, Distribution::LogNormal, mean, std);
}

// ---- dropout

// Elements kept and scaled by 1 / (1 - p), or zero, as the blocks from `position` on say: drawing them again
// in the backward pass costs less than keeping a mask.
OP("_dropout(Tensor input, float p, int seed, int position) -> Tensor");
Tensor _dropout(const Tensor& input, double p, int64_t seed, int64_t position) {
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  if (out.numel())
    launch(RandomDropout{static_cast<uint64_t>(seed), static_cast<uint64_t>(position), p}, {&out}, {&input});
  return record("Dropout", out, {&input},
                [=](Backward& b) -> Grads { return {_dropout(b.grad(), p, seed, position)}; });
}

namespace functional {
namespace {

void check_probability(const char* op, double p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError(op, "(): dropout probability has to be between 0 and 1, but got ", p);
}

// The input itself may be overwritten.
Tensor delivered(const Tensor& input, const Tensor& out, bool inplace, const char* op) {
  if (!inplace || out.is(input)) return out;
  check_writable(input, op);
  return assign_in_place(input, out, op);
}

Tensor dropped(const Tensor& input, double p) {
  const Draw d = draw({}, input.numel());
  return _dropout(input, p, static_cast<int64_t>(d.seed), static_cast<int64_t>(d.position));
}

// 1 / (1 - p) or 0 for each channel of each sample.
Tensor channel_noise(const Tensor& input, double p, int64_t channel_dims) {
  Shape shape(static_cast<size_t>(input.dim()), 1);
  for (int64_t d = 0; d < channel_dims; ++d) shape[d] = input.size(d);
  return dropped(ones(shape, input.dtype(), input.device()), p);
}

Tensor channels_dropped(const char* op, const Tensor& input, double p, bool training, bool inplace,
                        int64_t batched_dims) {
  check_probability(op, p);
  if (!training || p == 0) return input;
  return delivered(input, input * channel_noise(input, p, input.dim() < batched_dims ? 1 : 2), inplace, op);
}

// Alpha dropout (Klambauer et al., 2017): dropped elements become SELU's lowest value, and mean and variance
// stay.
Tensor alpha_dropped(const char* op, const Tensor& input, double p, bool training, bool inplace,
                     bool channels) {
  check_probability(op, p);
  if (!training || p == 0 || input.numel() == 0) return input;
  if (p == 1) return delivered(input, input * Scalar(0.0), inplace, op);
  constexpr double alpha = 1.7580993408473766;
  Tensor keep =
      channels ? channel_noise(input, p, std::min<int64_t>(2, input.dim())) : dropped(ones_like(input), p);
  keep = keep * Scalar(1 - p);
  const double a = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
  Tensor shift = (keep - Scalar(1.0)) * Scalar(alpha * a) + Scalar(alpha * a * p);
  return delivered(input, input * (keep * Scalar(a)) + shift, inplace, op);
}

}  // namespace

// Zeros elements with probability p and scales the others by 1 / (1 - p), in training.
OP("nn.functional.dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor");
Tensor dropout(const Tensor& input, double p, bool training, bool inplace) {
  check_probability("dropout", p);
  if (!training || p == 0) return input;
  return delivered(input, dropped(input, p), inplace, "dropout");
}

// Zeros whole channels of a (N, C, L) input.
OP("nn.functional.dropout1d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> "
   "Tensor");
Tensor dropout1d(const Tensor& input, double p, bool training, bool inplace) {
  if (input.dim() != 2 && input.dim() != 3)
    throw RuntimeError("dropout1d: Expected 2D or 3D input, but received a ", input.dim(), "D input.");
  return channels_dropped("dropout1d", input, p, training, inplace, 3);
}
// Zeros whole channels of a (N, C, H, W) input.
OP("nn.functional.dropout2d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> "
   "Tensor");
Tensor dropout2d(const Tensor& input, double p, bool training, bool inplace) {
  return channels_dropped("dropout2d", input, p, training, inplace, 3);
}
// Zeros whole channels of a (N, C, D, H, W) input.
OP("nn.functional.dropout3d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> "
   "Tensor");
Tensor dropout3d(const Tensor& input, double p, bool training, bool inplace) {
  return channels_dropped("dropout3d", input, p, training, inplace, 5);
}

// Dropout that keeps mean and variance, for networks of SELUs.
OP("nn.functional.alpha_dropout(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> "
   "Tensor");
Tensor alpha_dropout(const Tensor& input, double p, bool training, bool inplace) {
  return alpha_dropped("alpha_dropout", input, p, training, inplace, false);
}
// The same for whole channels.
OP("nn.functional.feature_alpha_dropout(Tensor input, float p=0.5, bool training=False, bool "
   "inplace=False) -> Tensor");
Tensor feature_alpha_dropout(const Tensor& input, double p, bool training, bool inplace) {
  return alpha_dropped("feature_alpha_dropout", input, p, training, inplace, true);
}

}  // namespace functional
}  // namespace mlx
