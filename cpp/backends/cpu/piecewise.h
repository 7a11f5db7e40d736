#pragma once
// Odd functions that tend to 1, as polynomials on 32 pieces, for processors that look up 32 floats in one
// instruction.

namespace mlx::cpu {

// Where |x| falls is told by its exponent's last three bits and its fraction's first two: four pieces for
// each power of two from 1/16 to 16. The first piece begins at 0. There f is a sum of coefficient[i] (|x| -
// centre)^i.
struct Piecewise {
  static constexpr int kPieces = 32, kDegree = 5;
  static constexpr float kFirst = 0.0625f, kEnd = 15.99f;
  static constexpr int kIndexShift =
      21;  // of the bits of |x|, which leaves the number of its piece modulo 32

  explicit Piecewise(double (*function)(double));

  alignas(64) float centre[kPieces];
  alignas(64) float coefficient[kDegree + 1][kPieces];
};

extern const Piecewise piecewise_tanh, piecewise_erf;

}  // namespace mlx::cpu
