// Padding, one-hot vectors, embeddings, and the shuffles between channels and space.

#include "base/representable.h"
#include "ops/check.h"
#include "ops/update.h"

namespace mlx {
namespace {

void check_pad(const char* op, const Tensor& input, const Shape& pad) {
  if (pad.size() % 2)
    throw RuntimeError(op, "(): Length of pad must be even but instead it equals ", pad.size());
  if (static_cast<int64_t>(pad.size()) > 2 * input.dim())
    throw RuntimeError(op,
                       "(): Length of pad should be no more than twice the number of dimensions of the "
                       "input. Pad length is ",
                       pad.size(), " while the input has ", input.dim(), " dimensions.");
}

// Where the element at each place of a padded dimension comes from.
Tensor padded_places(const char* mode, int64_t size, int64_t left, int64_t right) {
  const std::string how = mode;
  Tensor places = allocate_on_host({size + left + right}, DType::Int64);
  int64_t* p = places.data<int64_t>();
  for (int64_t i = 0; i < places.numel(); ++i) {
    int64_t at = i - left;
    if (how == "replicate")
      at = std::clamp<int64_t>(at, 0, size - 1);
    else if (how == "circular") {
      // What a negative pad cut off does not come round again.
      const int64_t cut = std::max<int64_t>(-left, 0), rest = size - cut - std::max<int64_t>(-right, 0);
      at = i - std::max<int64_t>(left, 0);
      at = (at % rest + rest) % rest + cut;
    } else
      at = at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
    p[i] = at;
  }
  return places;
}

// Dimensions that a mode other than constant pads: the last pad.size() / 2 of a batch of them.
Tensor pad_by_index(const Tensor& input, const Shape& pad, const char* mode) {
  const int64_t padded = static_cast<int64_t>(pad.size()) / 2;
  if (padded < 1 || padded > 3 || (input.dim() != padded + 1 && input.dim() != padded + 2))
    throw NotImplementedError(
        "pad(): Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: mode ", mode,
        " with ", pad.size(), " pad values needs an input of ", padded + 1, " or ", padded + 2,
        " dimensions, not ", input.dim());
  Shape dims;
  TensorList places;
  for (int64_t k = 0; k < padded; ++k) {
    const int64_t d = input.dim() - 1 - k, size = input.size(d), left = pad[2 * k], right = pad[2 * k + 1];
    const std::string how = mode;
    if (how == "reflect" && (left >= size || right >= size))
      throw RuntimeError(
          "pad(): Argument #4: Padding size should be less than the corresponding input dimension, but got: "
          "padding (",
          left, ", ", right, ") at dimension ", d, " of input ", input.shape());
    if (how == "circular" && (left > size || right > size))
      throw RuntimeError("pad(): Padding value causes wrapping around more than once: padding (", left, ", ",
                         right, ") at dimension ", d, " of input ", input.shape());
    if (size + left + right < 0 || (size == 0 && left + right > 0))
      throw RuntimeError("pad(): padding (", left, ", ", right, ") does not fit dimension ", d, " of input ",
                         input.shape());
    if (!left && !right) continue;
    dims.push_back(d);
    places.push_back(to(padded_places(mode, size, left, right), std::optional<Device>(input.device()),
                        std::optional<DType>()));
  }
  return _select_places(input, dims, places);
}

}  // namespace

// The tensor with `value` around it: pad holds (before, after) from the last dimension on; negative pads cut.
OP("constant_pad_nd(Tensor input, int[] pad, Scalar value=0) -> Tensor");
Tensor constant_pad_nd(const Tensor& input, const Shape& pad, const Scalar& value) {
  check_pad("constant_pad_nd", input, pad);
  Shape shape = input.shape(), back;
  for (size_t k = 0; k < pad.size() / 2; ++k) {
    int64_t& size = shape[shape.size() - 1 - k];
    if (size + pad[2 * k] + pad[2 * k + 1] < 0)
      throw RuntimeError("constant_pad_nd(): The input size ", size, ", plus negative padding ", pad[2 * k],
                         " and ", pad[2 * k + 1], " resulted in a negative output size, which is invalid.");
    size += pad[2 * k] + pad[2 * k + 1];
  }
  for (int64_t p : pad) back.push_back(-p);
  check_representable(value, input.dtype());
  Tensor out = full(shape, value, input.dtype(), input.device());
  {
    GradModeGuard off(false);
    Tensor from = input, to = out;
    for (size_t k = 0; k < pad.size() / 2; ++k) {
      const int64_t d = input.dim() - 1 - static_cast<int64_t>(k), before = pad[2 * k],
                    after = pad[2 * k + 1];
      const int64_t first = std::max<int64_t>(0, -before),
                    last = std::max(first, input.size(d) - std::max<int64_t>(0, -after));
      from = slice(from, d, first, last, 1);
      const int64_t at = std::max<int64_t>(0, before);
      to = slice(to, d, at, at + last - first, 1);
    }
    copy_data(to, from);
  }
  return record("ConstantPadNd", out, {&input},
                [back](Backward& b) -> Grads { return {constant_pad_nd(b.grad(), back, Scalar(0))}; });
}

namespace functional {

// Pads the last dimensions: pad holds (before, after) from the last on; mode is constant, reflect, replicate
// or circular.
OP("nn.functional.pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor");
Tensor pad(const Tensor& input, const Shape& pad, const std::string& mode, std::optional<double> value) {
  check_pad("pad", input, pad);
  if (mode == "constant") return constant_pad_nd(input, pad, value.value_or(0));
  if (value && *value != 0)
    throw ValueError("pad(): Padding mode \"", mode, "\" doesn't take in value argument");
  if (mode == "reflect") return pad_by_index(input, pad, "reflect");
  if (mode == "replicate") return pad_by_index(input, pad, "replicate");
  if (mode == "circular") return pad_by_index(input, pad, "circular");
  throw NotImplementedError("pad(): Unrecognised padding mode ", mode);
}

namespace {

// The number of classes, at least one more than the largest in `classes`; -1 asks for just that.
int64_t checked_classes(const Tensor& classes, int64_t count) {
  if (count > 0 && is_traced(classes)) {
    raise_if_any(lt(classes, 0), Check::Runtime, "one_hot(): Class values must be non-negative");
    raise_if_any(ge(classes, count), Check::Runtime,
                 "one_hot(): Class values must be smaller than num_classes");
    return count;
  }
  make_readable(classes, "one_hot() without num_classes");
  int64_t largest = -1;
  for (int64_t i = 0; i < classes.numel(); ++i) {
    const int64_t v = classes.data<int64_t>()[i];
    if (v < 0) throw RuntimeError("one_hot(): Class values must be non-negative, got ", v);
    largest = std::max(largest, v);
  }
  if (count == -1) count = largest + 1;
  if (count < 1 || largest >= count)
    throw RuntimeError("one_hot(): Class values must be smaller than num_classes: ", largest, " >= ", count);
  return count;
}

}  // namespace

// Each class number as a vector of zeros with a one at its place.
//
// >>> mlx.nn.functional.one_hot(mlx.tensor([1, 0]), 3)
// tensor([[0, 1, 0],
//         [1, 0, 0]])
OP("nn.functional.one_hot(Tensor input, int num_classes=-1) -> Tensor");
Tensor one_hot(const Tensor& input, int64_t num_classes) {
  if (input.dtype() != DType::Int64)
    throw RuntimeError("one_hot is only applicable to index tensor of type LongTensor, not ", input.dtype());
  if (input.numel() == 0 && num_classes <= 0)
    throw RuntimeError("one_hot(): Can not infer total number of classes from empty tensor.");
  num_classes = checked_classes(contiguous(cpu(input)), num_classes);
  Shape shape = input.shape();
  shape.push_back(num_classes);
  return scatter_(zeros(shape, DType::Int64, input.device()), -1, unsqueeze(input, -1), Scalar(1));
}

namespace {

// Shrinks the rows in use to the norm `max_norm`, in place.
void renormalise_rows(const Tensor& weight, const Tensor& index, double max_norm, double norm_type) {
  GradModeGuard off(false);
  Tensor rows = index_select(weight, 0, index);
  Tensor norms = linalg::vector_norm(rows, norm_type, Shape{1}, true);
  Tensor scale =
      where(gt(norms, Scalar(max_norm)), Scalar(max_norm) / (norms + Scalar(1e-7)), ones_like(norms));
  index_copy_(detach(weight), 0, index, rows * scale);
}

}  // namespace

// The rows of `weight` that `input` names, in its shape. Row `padding_idx` gets no gradient; with `max_norm`
// the rows in use are first shrunk, in place, to that norm. Gradients are dense, also with `sparse`.
OP("nn.functional.embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, float "
   "norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor");
Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx,
                 std::optional<double> max_norm, double norm_type, bool scale_grad_by_freq, bool) {
  if (weight.dim() != 2)
    throw RuntimeError("embedding(): 'weight' must be 2-D, not of shape ", weight.shape());
  if (input.dtype() != DType::Int64 && input.dtype() != DType::Int32)
    throw RuntimeError(
        "embedding(): Expected tensor for argument #1 'indices' to have scalar type Long or Int, but got ",
        input.dtype());
  const int64_t count = weight.size(0);
  if (padding_idx && (*padding_idx >= count || *padding_idx < -count))
    throw RuntimeError("embedding(): Padding_idx must be within num_embeddings: ", *padding_idx,
                       " is not below ", count);
  Tensor index = reshape(input, {-1});
  if (is_traced(index)) raise_if_any(lt(index, 0), Check::Index, "embedding(): an index is negative");
  const int64_t* values = !is_traced(index) && input.device() == Device{} && index.dtype() == DType::Int64 &&
                                  index.is_contiguous()
                              ? index.data<int64_t>()
                              : nullptr;
  for (int64_t i = 0; values && i < index.numel(); ++i)
    if (values[i] < 0)
      throw IndexError("embedding(): index ", values[i], " is out of bounds for dimension 0 with size ",
                       count);
  if (max_norm) renormalise_rows(weight, index, *max_norm, norm_type);
  Tensor rows;
  {
    GradModeGuard off(false);
    try {
      rows = index_select(weight, 0, index);
    } catch (const IndexError&) {  // named after the op that was called
      throw IndexError("embedding(): index ", item(max(index)),
                       " is out of bounds for dimension 0 with size ", count);
    }
  }
  Shape shape = input.shape();
  shape.push_back(weight.size(1));
  Tensor out = view_of(rows, shape, contiguous_strides(shape), 0);
  return record(
      "Embedding", out, {&weight},
      [index = save(index), whole = weight.shape(), padding_idx, scale_grad_by_freq](Backward& b) -> Grads {
        Tensor at = b.get(index), g = reshape(widened(b.grad()), {at.numel(), whole[1]});
        if (scale_grad_by_freq) {
          Tensor uses = index_add(zeros({whole[0]}, g.dtype(), g.device()), 0, at,
                                  ones({at.numel()}, g.dtype(), g.device()));
          g = g / unsqueeze(index_select(uses, 0, at), 1);
        }
        Tensor out = index_add(zeros(whole, g.dtype(), g.device()), 0, at, g);
        if (padding_idx) zero_(select(out, 0, *padding_idx));
        return {out};
      });
}

// ---- channels and space

// (*, C r^2, H, W) as (*, C, H r, W r).
OP("nn.functional.pixel_shuffle(Tensor input, int upscale_factor) -> Tensor").node("PixelShuffleBackward0");
Tensor pixel_shuffle(const Tensor& input, int64_t upscale_factor) {
  const int64_t r = upscale_factor, dims = input.dim();
  if (dims < 3)
    throw RuntimeError("pixel_shuffle expects input to have at least 3 dimensions, but got input with ", dims,
                       " dimension(s)");
  if (r <= 0) throw RuntimeError("pixel_shuffle expects a positive upscale_factor, but got ", r);
  const int64_t c = input.size(-3), h = input.size(-2), w = input.size(-1);
  if (c % (r * r))
    throw RuntimeError(
        "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
        "upscale_factor, but input.size(-3)=",
        c, " is not divisible by ", r * r);
  Shape batch(input.shape().begin(), input.shape().end() - 3), whole = batch;
  Tensor t = reshape(input, {numel(batch), c / (r * r), r, r, h, w});
  for (int64_t s : {c / (r * r), h * r, w * r}) whole.push_back(s);
  return reshape(permute(t, {0, 1, 4, 2, 5, 3}), whole);
}

// (*, C, H r, W r) as (*, C r^2, H, W).
OP("nn.functional.pixel_unshuffle(Tensor input, int downscale_factor) -> Tensor");
Tensor pixel_unshuffle(const Tensor& input, int64_t downscale_factor) {
  const int64_t r = downscale_factor, dims = input.dim();
  if (dims < 3)
    throw RuntimeError("pixel_unshuffle expects input to have at least 3 dimensions, but got input with ",
                       dims, " dimension(s)");
  if (r <= 0) throw RuntimeError("pixel_unshuffle expects a positive downscale_factor, but got ", r);
  const int64_t c = input.size(-3), h = input.size(-2), w = input.size(-1);
  if (h % r || w % r)
    throw RuntimeError("pixel_unshuffle expects height and width to be divisible by downscale_factor, but ",
                       h, " x ", w, " is not divisible by ", r);
  Shape batch(input.shape().begin(), input.shape().end() - 3), whole = batch;
  Tensor t = reshape(input, {numel(batch), c, h / r, r, w / r, r});
  for (int64_t s : {c * r * r, h / r, w / r}) whole.push_back(s);
  return reshape(permute(t, {0, 1, 3, 5, 2, 4}), whole);
}

// Channels (dimension 1) dealt out to `groups` in turn.
OP("nn.functional.channel_shuffle(Tensor input, int groups) -> Tensor");
Tensor channel_shuffle(const Tensor& input, int64_t groups) {
  if (input.dim() < 3)
    throw RuntimeError("channel_shuffle expects input with > 2 dims, but got input with sizes ",
                       input.shape());
  if (groups <= 0 || input.size(1) % groups)
    throw RuntimeError("channel_shuffle(): Number of channels must be divisible by groups. Got ",
                       input.size(1), " channels and ", groups, " groups.");
  return reshape(transpose(unflatten(input, 1, {groups, -1}), 1, 2), input.shape());
}

}  // namespace functional
}  // namespace mlx
