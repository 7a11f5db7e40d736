// Steps of recurrent layers: the formulas of formulas/recurrent.h, element by element.

#include "formulas/recurrent.h"

#include <deque>

#include "backends/gpu/symbolic.h"

namespace mlx::gpu {
namespace {

using Number = Expr<DType::Float32>;
using Element = formulas::LstmElement<Number>;

// A kernel over the cells of a batch. Gates are read and written as four matrices side by side.
class CellKernel {
 public:
  CellKernel(const Launch& launch, Runtime& runtime, const Tensor& cell)
      : cell_(cell), kernel_(runtime, kernel_name(launch.kernel), cell.shape()) {}

  void read(const Tensor& t) {
    if (t.defined())
      kernel_.input(t, DType::Float32);
    else
      kernel_.value(0.0, DType::Float32);
  }
  void write(const Tensor& t) { kernel_.output(t, t.strides(), DType::Float32); }
  void read_gates(const Tensor& t) {
    for (int g = 0; g < 4; ++g) read(gate(t, g));
  }
  void write_gates(const Tensor& t) {
    for (int g = 0; g < 4; ++g) write(gate(t, g));
  }

  // `step(x, y)` computes the numbers y from x, in the order in which operands were named.
  template <class Step>
  bool run(const char* name, int inputs, Step step) {
    return kernel_.run(name, [&] {
      return written_down([&](auto next) {
        std::vector<Number> x, y;
        for (int i = 0; i < inputs; ++i) x.push_back(next());
        step(x, y);
        return y;
      });
    });
  }

 private:
  const Tensor& gate(const Tensor& gates, int g) {
    const int64_t n = cell_.size(1);
    return views_.emplace_back(view_of(gates, cell_.shape(), gates.strides(), gates.offset() + g * n));
  }

  const Tensor& cell_;
  Elementwise kernel_;
  std::deque<Tensor> views_;  // kept until the kernel is queued
};

Element gates_of(const std::vector<Number>& x, size_t at) { return {x[at], x[at + 1], x[at + 2], x[at + 3]}; }

bool lstm_cell(const LstmCell&, const Launch& l, Runtime& runtime) {
  const Tensor& cell = l.out(1);
  if (cell.dtype() != DType::Float32) return false;
  CellKernel kernel(l, runtime, cell);
  kernel.read_gates(l.in(0));
  kernel.read_gates(l.in(1));
  kernel.read(l.in(2));
  kernel.write_gates(l.out(0));
  kernel.write(cell);
  kernel.write(l.out(2));
  return kernel.run("lstm_cell", 9, [](const std::vector<Number>& x, std::vector<Number>& y) {
    const Element a = gates_of(x, 0), b = gates_of(x, 4);
    Element e{a.input + b.input, a.forget + b.forget, a.candidate + b.candidate, a.output + b.output};
    e.activate();
    const Number c = e.cell(x[8]);
    y = {e.input, e.forget, e.candidate, e.output, c, e.output * tanh(c)};
  });
}

bool lstm_cell_gradient(const LstmCellGradient&, const Launch& l, Runtime& runtime) {
  const Tensor& cell = l.in(4);
  if (cell.dtype() != DType::Float32) return false;
  CellKernel kernel(l, runtime, cell);
  for (size_t i = 0; i < 3; ++i) kernel.read(l.in(i));
  kernel.read_gates(l.in(3));
  kernel.read(cell);
  kernel.read(l.in(5));
  kernel.read(l.out(1));
  kernel.write_gates(l.out(0));
  kernel.write(l.out(1));
  return kernel.run("lstm_cell_gradient", 10, [](const std::vector<Number>& x, std::vector<Number>& y) {
    Number d_cell = x[9] + x[2];
    const Element d = gates_of(x, 3).gradient(x[0] + x[1], d_cell, x[7], x[8]);
    y = {d.input, d.forget, d.candidate, d.output, d_cell};
  });
}

GPU_KERNEL(LstmCell, lstm_cell);
GPU_KERNEL(LstmCellGradient, lstm_cell_gradient);

}  // namespace
}  // namespace mlx::gpu
