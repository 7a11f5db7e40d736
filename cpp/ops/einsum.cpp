// Einstein's summation: products of tensors by the names of their dimensions.

#include <map>

#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

constexpr char kEllipsis = '.';  // stands for the dimensions that "..." covers, in labels

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

// Reads one side's labels: letters, and at most one "..." (kept as a single dot).
std::string read_labels(const std::string& text) {
  std::string labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text.compare(i, 3, "...") == 0) {
      if (labels.find(kEllipsis) != std::string::npos)
        throw RuntimeError("einsum(): found '...' more than once in an operand: ", text);
      labels += kEllipsis;
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      labels += text[i];
    } else {
      throw RuntimeError("einsum(): invalid subscript '", text[i],
                         "' in the equation; subscripts are letters");
    }
  }
  return labels;
}

Equation parse(const std::string& equation) {
  Equation e;
  size_t arrow = equation.find("->");
  std::string left = equation.substr(0, arrow);
  for (size_t from = 0;;) {
    size_t comma = left.find(',', from);
    e.inputs.push_back(read_labels(left.substr(from, comma - from)));
    if (comma == std::string::npos) break;
    from = comma + 1;
  }
  if (arrow != std::string::npos) {
    e.output = read_labels(equation.substr(arrow + 2));
    return e;
  }
  // Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order.
  std::map<char, int> counts;
  bool ellipsis = false;
  for (const std::string& labels : e.inputs)
    for (char c : labels) c == kEllipsis ? void(ellipsis = true) : void(++counts[c]);
  if (ellipsis) e.output += kEllipsis;
  for (auto [c, n] : counts)
    if (n == 1) e.output += c;
  return e;
}

// Where each label's dimension lies when all operands have all of them, in a common order.
struct Axes {
  std::map<char, int64_t> of_letter;
  int64_t ellipsis = 0;  // how many dimensions "..." covers; they come first
  int64_t total = 0;
};

// An operand with every label's dimension in its place: repeated labels become diagonals, missing ones
// size 1.
Tensor aligned(Tensor t, const std::string& labels, const Axes& axes, size_t index) {
  int64_t own =
      t.dim() - static_cast<int64_t>(labels.size()) + (labels.find(kEllipsis) != std::string::npos ? 1 : 0);
  Shape places(static_cast<size_t>(axes.total), -1);
  int64_t d = 0;
  for (char c : labels) {
    if (c == kEllipsis) {
      for (int64_t k = 0; k < own; ++k) places[axes.ellipsis - own + k] = d++;
      continue;
    }
    int64_t place = axes.of_letter.at(c);
    if (places[place] < 0) {
      places[place] = d++;
      continue;
    }
    int64_t first = places[place];
    if (t.size(first) != t.size(d))
      throw RuntimeError("einsum(): subscript ", c, " is repeated for operand ", index,
                         " but the sizes don't match, ", t.size(d), " != ", t.size(first));
    t = movedim(diagonal(t, 0, first, d), {-1}, {first});
  }
  Shape order;
  for (int64_t p : places)
    if (p >= 0) order.push_back(p);
  t = permute(t, order);
  for (int64_t place = 0; place < axes.total; ++place)
    if (places[place] < 0) t = unsqueeze(t, place);
  return t;
}

// A tensor as a stack of matrices: groups of its dimensions become the batch, the rows and the columns;
// those of `absent` have size one. Where only the transposed matrices lie in memory as one, a view of them
// spares a copy.
Tensor as_stack(const Tensor& t, const Shape& batch, const Shape& rows, const Shape& columns,
                const Shape& absent) {
  auto grouped = [&](const Shape& second, const Shape& third) {
    Shape order, sizes;
    for (const Shape* part : {&batch, &second, &third, &absent}) {
      int64_t size = 1;
      for (int64_t d : *part) {
        order.push_back(d);
        size *= t.size(d);
      }
      if (part != &absent) sizes.push_back(size);
    }
    return std::pair(permute(t, order), sizes);
  };
  auto [straight, sizes] = grouped(rows, columns);
  Shape strides;
  if (view_strides(straight.shape(), straight.strides(), sizes, strides)) return view(straight, sizes);
  auto [turned, turned_sizes] = grouped(columns, rows);
  if (view_strides(turned.shape(), turned.strides(), turned_sizes, strides))
    return transpose(view(turned, turned_sizes), 1, 2);
  return reshape(straight, sizes);
}

// The product of two aligned operands, summed over the dimensions marked in `gone` (kept with size 1).
// Dimensions that only one of them has are summed at once; the rest is one stack of matrix products.
Tensor contract(Tensor a, Tensor b, const std::vector<bool>& gone) {
  Shape batch, left, right, inner, shape;
  for (int64_t d = 0; d < a.dim(); ++d) {
    bool in_a = a.size(d) != 1, in_b = b.size(d) != 1;
    if (gone[d] && in_a != in_b) (in_a ? a : b) = sum(in_a ? a : b, Shape{d}, true);
    if (gone[d])
      (in_a && in_b ? inner : batch).push_back(d);
    else
      (in_a == in_b ? batch : in_a ? left : right).push_back(d);
  }
  // Integers that were summed are int64.
  const DType dtype = result_type({&a, &b});
  a = to(a, dtype, false, false);
  b = to(b, dtype, false, false);
  // a as (batch, left, inner), b as (batch, inner, right); what one of them lacks has size 1.
  Tensor x = as_stack(a, batch, left, inner, right);
  Tensor y = as_stack(b, batch, inner, right, left);
  Tensor out = inner.empty() && (left.empty() || right.empty()) ? x * y : matmul(x, y);

  Shape order, whole;
  for (const Shape* part : {&batch, &left, &right, &inner})
    for (int64_t d : *part) {
      order.push_back(d);
      whole.push_back(gone[d] ? 1 : std::max(a.size(d) == 1 ? b.size(d) : a.size(d), int64_t{0}));
    }
  Shape inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  return permute(reshape(out, whole), inverse);
}

Axes number_axes(const Equation& e, const TensorList& operands) {
  Axes axes;
  for (size_t i = 0; i < operands.size(); ++i) {
    bool dots = e.inputs[i].find(kEllipsis) != std::string::npos;
    int64_t named = static_cast<int64_t>(e.inputs[i].size()) - dots, dims = operands[i].dim();
    if (dots ? dims < named : dims != named)
      throw RuntimeError("einsum(): the number of subscripts in the equation (", named, ") ",
                         dots ? "is more than" : "does not match", " the number of dimensions (", dims,
                         ") for operand ", i, dots ? "" : " and no ellipsis was given");
    if (dots) axes.ellipsis = std::max(axes.ellipsis, dims - named);
  }
  // Output letters first, so that what is summed lies behind.
  axes.total = axes.ellipsis;
  std::string seen;
  for (char c : e.output) {
    if (c == kEllipsis) continue;
    bool known = std::any_of(e.inputs.begin(), e.inputs.end(),
                             [c](auto& labels) { return labels.find(c) != std::string::npos; });
    if (!known)
      throw RuntimeError("einsum(): output subscript ", c,
                         " does not appear in the equation for any input operand");
    if (!axes.of_letter.emplace(c, axes.total++).second)
      throw RuntimeError("einsum(): output subscript ", c, " appears more than once in the output");
  }
  for (const std::string& labels : e.inputs)
    for (char c : labels)
      if (c != kEllipsis && axes.of_letter.emplace(c, axes.total).second) ++axes.total;
  return axes;
}

}  // namespace

// Sums of products over named dimensions: einsum("ij,jk->ik", [a, b]) is a matrix product.
//
// >>> mlx.einsum("ij->ji", mlx.tensor([[1, 2], [3, 4]]))
// tensor([[1, 3],
//         [2, 4]])
OP("_einsum(str equation, Tensor[] operands) -> Tensor");
Tensor _einsum(const std::string& equation, const TensorList& operands) {
  if (operands.empty()) throw ValueError("einsum(): must provide at least one operand");
  Equation e = parse(equation);
  if (e.inputs.size() != operands.size())
    throw RuntimeError("einsum(): ", e.inputs.size() > operands.size() ? "fewer" : "more",
                       " operands were provided (", operands.size(), ") than specified in the equation (",
                       e.inputs.size(), ")");
  Axes axes = number_axes(e, operands);
  TensorList ts;
  for (size_t i = 0; i < operands.size(); ++i) ts.push_back(aligned(operands[i], e.inputs[i], axes, i));
  for (int64_t d = 0; d < axes.total; ++d) {
    int64_t size = 1;
    for (size_t i = 0; i < ts.size(); ++i) {
      if (size != 1 && ts[i].size(d) != 1 && ts[i].size(d) != size)
        throw RuntimeError("einsum(): operands do not broadcast with remapped shapes: operand ", i,
                           " of shape ", operands[i].shape(), " has size ", ts[i].size(d),
                           " where another has ", size);
      if (ts[i].size(d) != 1) size = ts[i].size(d);
    }
  }
  bool dots_out = e.output.find(kEllipsis) != std::string::npos;
  auto summed = [&](int64_t d) {
    if (d < axes.ellipsis) return !dots_out;
    for (char c : e.output)
      if (c != kEllipsis && axes.of_letter[c] == d) return false;
    return true;
  };
  Tensor out = ts[0];
  for (size_t i = 1; i < ts.size(); ++i) {
    // A dimension is summed with the last operand that has it.
    std::vector<bool> gone(static_cast<size_t>(axes.total));
    for (int64_t d = 0; d < axes.total; ++d) {
      bool later = std::any_of(ts.begin() + static_cast<int64_t>(i) + 1, ts.end(),
                               [d](const Tensor& t) { return t.size(d) != 1; });
      gone[d] = summed(d) && !later;
    }
    out = contract(out, ts[i], gone);
  }
  // Most summed dimensions went with a product already and are left with size one.
  Shape gone, rest;
  for (int64_t d = 0; d < axes.total; ++d) {
    if (!summed(d)) continue;
    gone.push_back(d);
    if (out.size(d) != 1) rest.push_back(d);
  }
  // A lone operand of integers becomes int64 also where what is summed has size one.
  if (ts.size() == 1 && !gone.empty())
    out = sum(out, gone, true);
  else if (!rest.empty())
    out = sum(out, rest, true);
  if (!gone.empty()) out = squeeze(out, gone);
  // The ellipsis may stand anywhere in the output.
  Shape order;
  int64_t next = dots_out ? axes.ellipsis : 0;
  for (char c : e.output) {
    if (c == kEllipsis)
      for (int64_t k = 0; k < axes.ellipsis; ++k) order.push_back(k);
    else
      order.push_back(next++);
  }
  return permute(out, order);
}

}  // namespace mlx
