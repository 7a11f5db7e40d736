// Recurrent layers. A layer's input is projected for all steps at once, by one product, before it comes here;
// what is left is the walk over the steps. Layers are put together in python/mlx/nn/modules/rnn.py.

#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

// The steps of a walk over `count`, from the last to the first if it goes backwards.
struct Walk {
  int64_t count;
  bool reverse;
  int64_t at(int64_t i) const { return reverse ? count - 1 - i : i; }
};

// Step t of a tensor (steps, ...), without history.
Tensor step_of(const Tensor& all, int64_t t) {
  Shape shape(all.shape().begin() + 1, all.shape().end()),
      strides(all.strides().begin() + 1, all.strides().end());
  return view_of(all, shape, strides, all.offset() + t * all.stride(0));
}

// All steps of a tensor, recorded as one: select() for each would make a gradient of full size a step.
TensorList steps_of(const Tensor& all) {
  TensorList steps;
  for (int64_t t = 0; t < all.size(0); ++t) steps.push_back(step_of(all, t));
  if (!recording({&all})) return steps;
  auto rule = [shape = steps.empty() ? Shape{} : steps[0].shape(), n = steps.size(), dtype = all.dtype(),
               device = all.device()](Backward& b) -> Grads {
    TensorList grads;
    for (size_t t = 0; t < n; ++t)
      grads.push_back(b.grad(t).defined() ? b.grad(t) : zeros(shape, dtype, device));
    return {stack(grads, 0)};
  };
  Ref<Node> node = rule_node("Unbind", std::move(rule));
  std::vector<const Tensor*> outputs;
  for (const Tensor& t : steps) outputs.push_back(&t);
  const Tensor* inputs[] = {&all};
  connect(node, outputs, inputs);
  return steps;
}

// A step's outputs in the order of time, as one tensor.
Tensor in_order(TensorList steps, bool reverse) {
  if (reverse) std::reverse(steps.begin(), steps.end());
  return stack(steps, 0);
}

Tensor projection_of(const Tensor& hidden, const Tensor& weight, const Tensor& bias) {
  return functional::linear(hidden, weight, bias);
}

void check_layer(const char* op, const Tensor& projected, const Tensor& hidden, const Tensor& weight_hh,
                 int64_t gates) {
  if (projected.dim() != 3 || hidden.dim() != 2 || weight_hh.dim() != 2)
    throw RuntimeError(op, "(): expected (steps, batch, gates), (batch, hidden) and (gates, hidden), got ",
                       projected.shape(), ", ", hidden.shape(), " and ", weight_hh.shape());
  if (projected.size(2) % gates || weight_hh.size(0) != projected.size(2) ||
      weight_hh.size(1) != hidden.size(1) || hidden.size(0) != projected.size(1))
    throw RuntimeError(op, "(): sizes differ: input ", projected.shape(), ", hidden state ", hidden.shape(),
                       ", weight ", weight_hh.shape());
}

// ---- LSTM

struct LstmLayer {
  Walk walk;
  Tensor projected, hidden, cell, weight_hh, weight_hr;  // what the layer is given
  Tensor gates, cells, states, output;                   // what it computes at each step
  // output is states, or their projection by weight_hr

  const Tensor hidden_before(int64_t i) const { return i == 0 ? hidden : step_of(output, walk.at(i - 1)); }
  const Tensor cell_before(int64_t i) const { return i == 0 ? cell : step_of(cells, walk.at(i - 1)); }

  void run() {
    const int64_t steps = walk.count, batch = hidden.size(0), n = cell.size(1);
    const DType type = projected.dtype();
    gates = allocate(projected.shape(), type, projected.device());
    cells = allocate({steps, batch, n}, type, projected.device());
    states = allocate({steps, batch, n}, type, projected.device());
    output =
        weight_hr.defined() ? allocate({steps, batch, hidden.size(1)}, type, projected.device()) : states;
    Tensor from_hidden = allocate({batch, 4 * n}, type, projected.device()), recurrent = t(weight_hh),
           projection = weight_hr.defined() ? t(weight_hr) : Tensor();
    for (int64_t i = 0; i < steps && batch; ++i) {
      const int64_t at = walk.at(i);
      Tensor before = hidden_before(i), cell_was = cell_before(i), from_input = step_of(projected, at),
             now = step_of(gates, at), c = step_of(cells, at), h = step_of(states, at);
      launch(MatMul{}, {&from_hidden}, {&before, &recurrent});
      launch(LstmCell{}, {&now, &c, &h}, {&from_input, &from_hidden, &cell_was});
      if (!projection.defined()) continue;
      Tensor out = step_of(output, at);
      launch(MatMul{}, {&out}, {&h, &projection});
    }
  }

  // The gradients of projected, hidden, cell, weight_hh and weight_hr.
  Grads gradients(const Tensor& d_output, const Tensor& d_cells) const {
    const int64_t steps = walk.count, batch = hidden.size(0);
    Tensor d_gates = allocate(gates.shape(), gates.dtype(), gates.device()), d_hidden = zeros_like(hidden),
           d_cell = zeros_like(cell), d_projected, missing;
    if (weight_hr.defined()) d_projected = allocate(output.shape(), gates.dtype(), gates.device());
    for (int64_t i = steps - 1; i >= 0 && batch; --i) {
      const int64_t at = walk.at(i);
      auto part = [&](const Tensor& all) { return all.defined() ? step_of(all, at) : missing; };
      Tensor result = part(d_output), cell_result = part(d_cells), now = part(gates), c = part(cells),
             cell_was = cell_before(i), d_now = part(d_gates), d_state = d_hidden;
      if (weight_hr.defined()) {
        copy_data_sum(part(d_projected), d_hidden, result);
        d_state = matmul(part(d_projected), weight_hr);
        result = missing;
      }
      launch(LstmCellGradient{}, {&d_now, &d_cell}, {&d_state, &result, &cell_result, &now, &c, &cell_was});
      launch(MatMul{}, {&d_hidden}, {&d_now, &weight_hh});
    }
    return {d_gates, d_hidden, d_cell, recurrent_gradient(d_gates),
            weight_hr.defined() ? over_steps(d_projected, states) : missing};
  }

 private:
  static void copy_data_sum(const Tensor& to, const Tensor& a, const Tensor& b) {
    copy_(to, b.defined() ? a + b : a, false);
  }
  // The sum over steps and samples of the products of a row of d and one of x.
  static Tensor over_steps(const Tensor& d, const Tensor& x) {
    return matmul(t(reshape(d, {-1, d.size(2)})), reshape(x, {-1, x.size(2)}));
  }
  Tensor recurrent_gradient(const Tensor& d_gates) const {
    const int64_t steps = walk.count;
    if (steps == 0) return zeros_like(weight_hh);
    const int64_t later = walk.reverse ? 0 : 1, sooner = walk.reverse ? 1 : 0;
    Tensor total = over_steps(narrow(d_gates, 0, later, steps - 1), narrow(output, 0, sooner, steps - 1));
    return total + matmul(t(step_of(d_gates, walk.at(0))), hidden);
  }
};

// The same gradients written with recorded ops, for derivatives of derivatives.
Grads recorded_gradients(const LstmLayer& layer, const Tensor& d_output, const Tensor& d_cells) {
  const Walk& walk = layer.walk;
  const bool projects = layer.weight_hr.defined();
  auto times = [](const Tensor& a, const Tensor& b) { return matmul(t(a), b); };
  TensorList inputs = steps_of(layer.projected), hiddens = {layer.hidden}, cells = {layer.cell}, states;
  std::vector<TensorList> gates;
  for (int64_t i = 0; i < walk.count; ++i) {
    Tensor sum = inputs[static_cast<size_t>(walk.at(i))] + matmul(hiddens.back(), t(layer.weight_hh));
    TensorList g = chunk(sum, 4, 1);
    g = {sigmoid(g[0]), sigmoid(g[1]), tanh(g[2]), sigmoid(g[3])};
    cells.push_back(g[1] * cells.back() + g[0] * g[2]);
    states.push_back(g[3] * tanh(cells.back()));
    hiddens.push_back(projects ? matmul(states.back(), t(layer.weight_hr)) : states.back());
    gates.push_back(g);
  }
  Tensor d_hidden = zeros_like(layer.hidden), d_cell = zeros_like(layer.cell),
         d_weight = zeros_like(layer.weight_hh),
         d_projection = projects ? zeros_like(layer.weight_hr) : Tensor();
  TensorList d_inputs;
  for (int64_t i = walk.count - 1; i >= 0; --i) {
    const size_t k = static_cast<size_t>(i);
    if (d_output.defined()) d_hidden = d_hidden + select(d_output, 0, walk.at(i));
    if (d_cells.defined()) d_cell = d_cell + select(d_cells, 0, walk.at(i));
    if (projects) {
      d_projection = d_projection + times(d_hidden, states[k]);
      d_hidden = matmul(d_hidden, layer.weight_hr);
    }
    const TensorList& g = gates[k];
    Tensor squashed = tanh(cells[k + 1]);
    d_cell = d_cell + d_hidden * g[3] * (1 - squashed * squashed);
    Tensor d_gates = cat({d_cell * g[2] * g[0] * (1 - g[0]), d_cell * cells[k] * g[1] * (1 - g[1]),
                          d_cell * g[0] * (1 - g[2] * g[2]), d_hidden * squashed * g[3] * (1 - g[3])},
                         1);
    d_inputs.push_back(d_gates);
    d_weight = d_weight + times(d_gates, hiddens[k]);
    d_hidden = matmul(d_gates, layer.weight_hh);
    d_cell = d_cell * g[1];
  }
  Tensor d_projected = walk.count ? in_order(d_inputs, !walk.reverse) : zeros_like(layer.projected);
  return {d_projected, d_hidden, d_cell, d_weight, d_projection};
}

}  // namespace

// An LSTM's walk over (steps, batch, 4 * cells) of gates, from the input: their order is input, forget,
// candidate, output. Gives the outputs and the cells at all steps.
OP("_lstm_layer(Tensor projected, Tensor hidden, Tensor cell, Tensor weight_hh, Tensor? weight_hr=None, bool "
   "reverse=False) -> (Tensor output, Tensor cells)");
std::tuple<Tensor, Tensor> _lstm_layer(const Tensor& projected, const Tensor& hidden, const Tensor& cell,
                                       const Tensor& weight_hh, const Tensor& weight_hr, bool reverse) {
  check_layer("lstm", projected, hidden, weight_hh, 4);
  if (cell.dim() != 2 || cell.size(0) != hidden.size(0) || cell.size(1) * 4 != projected.size(2))
    throw RuntimeError("lstm(): the cell state must be (", hidden.size(0), ", ", projected.size(2) / 4,
                       "), but is ", cell.shape());
  const DType type = compute_type(projected.dtype());
  auto wide = [&](const Tensor& x) { return x.defined() ? contiguous(to(x, type, false, false)) : x; };
  LstmLayer layer{{projected.size(0), reverse},
                  wide(projected),
                  wide(hidden),
                  wide(cell),
                  wide(weight_hh),
                  wide(weight_hr),
                  {},
                  {},
                  {},
                  {}};
  {
    GradModeGuard off(false);
    layer.run();
  }
  Tensor output = layer.weight_hr.defined() ? layer.output : alias(layer.states), cells = alias(layer.cells);
  record_all("Lstm", {&output, &cells},
             {&layer.projected, &layer.hidden, &layer.cell, &layer.weight_hh, &layer.weight_hr},
             [walk = layer.walk, gates = layer.gates, states = layer.states,
              all_cells = save(alias(layer.cells)), outputs = save(alias(layer.output)),
              projected = save(layer.projected), hidden = save(layer.hidden), cell = save(layer.cell),
              weight_hh = save(layer.weight_hh), weight_hr = save(layer.weight_hr)](Backward& b) -> Grads {
               auto whole = [](const Tensor& g) { return g.defined() ? contiguous(g) : g; };
               Tensor d_output = whole(b.grad(0)), d_cells = whole(b.grad(1));
               LstmLayer layer{
                   walk,  b.get(projected), b.get(hidden), b.get(cell),   b.get(weight_hh), b.get(weight_hr),
                   gates, b.get(all_cells), states,        b.get(outputs)};
               if (recording({&d_output, &d_cells, &layer.projected, &layer.hidden, &layer.cell,
                              &layer.weight_hh, &layer.weight_hr}))
                 return recorded_gradients(layer, d_output, d_cells);
               return layer.gradients(d_output, d_cells);
             });
  return {to(output, projected.dtype(), false, false), to(cells, projected.dtype(), false, false)};
}

// An Elman layer's walk over (steps, batch, hidden) from the input: tanh or relu of it and the hidden state's
// product. Gives the outputs at all steps.
OP("_rnn_layer(Tensor projected, Tensor hidden, Tensor weight_hh, Tensor? bias_hh=None, *, bool relu=False, "
   "bool "
   "reverse=False) -> Tensor");
Tensor _rnn_layer(const Tensor& projected, const Tensor& hidden, const Tensor& weight_hh,
                  const Tensor& bias_hh, bool relu, bool reverse) {
  check_layer("rnn", projected, hidden, weight_hh, 1);
  const Walk walk{projected.size(0), reverse};
  TensorList inputs = steps_of(projected), outputs;
  Tensor h = hidden;
  for (int64_t i = 0; i < walk.count; ++i) {
    Tensor sum = inputs[static_cast<size_t>(walk.at(i))] + projection_of(h, weight_hh, bias_hh);
    outputs.push_back(h = relu ? functional::relu(sum, false) : tanh(sum));
  }
  return walk.count ? in_order(outputs, reverse) : projected;
}

// A GRU's walk (Cho et al., 2014) over (steps, batch, 3 * hidden) of gates from the input: reset, update,
// new. Gives the outputs at all steps.
OP("_gru_layer(Tensor projected, Tensor hidden, Tensor weight_hh, Tensor? bias_hh=None, *, bool "
   "reverse=False) "
   "-> Tensor");
Tensor _gru_layer(const Tensor& projected, const Tensor& hidden, const Tensor& weight_hh,
                  const Tensor& bias_hh, bool reverse) {
  check_layer("gru", projected, hidden, weight_hh, 3);
  const Walk walk{projected.size(0), reverse};
  const int64_t n = hidden.size(1);
  TensorList inputs = steps_of(projected), outputs;
  Tensor h = hidden;
  for (int64_t i = 0; i < walk.count; ++i) {
    TensorList x = split(inputs[static_cast<size_t>(walk.at(i))], Shape{2 * n, n}, 1);
    TensorList y = split(projection_of(h, weight_hh, bias_hh), Shape{2 * n, n}, 1);
    TensorList gates = chunk(sigmoid(x[0] + y[0]), 2, 1);
    Tensor fresh = tanh(x[1] + gates[0] * y[1]);
    outputs.push_back(h = fresh + gates[1] * (h - fresh));
  }
  return walk.count ? in_order(outputs, reverse) : slice(projected, 2, 0, n, 1);
}

}  // namespace mlx
