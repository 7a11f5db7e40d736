// The decompositions into triangular and orthogonal matrices: Cholesky's, and QR by Householder reflections.

#include "ops/matrices.h"

namespace mlx {
namespace {

// ---- Cholesky

struct Cholesky {
  Tensor factor, info;
};

// (Murray, "Differentiation of the Cholesky decomposition", 2016.)
Tensor cholesky_gradient(const Tensor& g, const Tensor& l) {
  Tensor lower = tril(matmul(adjoint_of(l), g));
  Tensor inner = (lower + adjoint_of(tril(lower, -1))) * 0.5;
  return linalg::solve_triangular(l, linalg::solve_triangular(adjoint_of(l), inner, true), false, false);
}

// L of a = L L^H, of which one triangle is read.
Cholesky lower_cholesky(const Tensor& a, bool read_upper, const Verdict& verdict) {
  Tensor buffer = allocate(a.shape(), a.dtype(), a.device()),
         info = zeros(leading(a), DType::Int32, a.device());
  // By columns the matrix is transposed, and U^H U of that is the wanted L, transposed.
  Tensor given = read_upper ? adjoint_of(detach(a)) : detach(a);
  if (buffer.numel()) launch(CholeskyFactor{true, verdict}, {&buffer, &info}, {&given});
  Tensor l = tril(buffer);
  record("LinalgCholeskyEx", l, {&a}, [result = save_output(l)](Backward& b) -> Grads {
    return {cholesky_gradient(b.grad(), b.get(result))};
  });
  return {l, info};
}

Cholesky cholesky_of(const char* op, const Tensor& a, bool upper, bool check_errors) {
  check_square(op, a);
  Verdict verdict;
  if (check_errors)
    verdict = {
        op,
        "The factorization could not be completed because the input is not positive-definite (the leading "
        "minor of order ",
        " is not positive-definite)."};
  Cholesky c = lower_cholesky(a, upper, verdict);
  return {upper ? adjoint_of(c.factor) : c.factor, c.info};
}

// ---- Householder reflections

// The product of the reflectors, first columns first, as ops that can be differentiated: H_i = 1 - tau_i v
// v^H, where v is column i of `input` below its diagonal, with a one on it.
Tensor reflector(const Tensor& input, int64_t i) {
  const int64_t m = input.size(-2);
  Tensor column = narrow(input, -1, i, 1);
  Tensor rows = as_column(arange(m, DType::Int64, input.device()));
  return where(gt(rows, i), column, as_dtype(eq(rows, i), input.dtype()));
}

Tensor reflected(const Tensor& v, const Tensor& tau, const Tensor& x) {
  return x - as_column(as_column(tau)) * matmul(v, matmul(adjoint_of(v), x));
}

Tensor composed_product(const Tensor& input, const Tensor& tau) {
  Tensor q = expand(eye(input.size(-2), input.size(-1), input.dtype(), input.device()), input.shape());
  for (int64_t i = tau.size(-1); i-- > 0;) q = reflected(reflector(input, i), select(tau, -1, i), q);
  return q;
}

void check_reflectors(const char* op, const Tensor& input, const Tensor& tau) {
  check_matrix(op, input, "input");
  check_same_dtype(op, input, tau);
  if (input.size(-2) < input.size(-1))
    throw RuntimeError(op,
                       ": input.shape[-2] must be greater than or equal to input.shape[-1], but input is ",
                       input.shape());
  if (tau.dim() != input.dim() - 1 || tau.size(-1) > input.size(-1))
    throw RuntimeError(op, ": tau of shape ", tau.shape(), " does not fit input of shape ", input.shape());
}

struct Reflections {
  Tensor packed, tau;  // `packed` is by columns: transposed
};

Reflections reflections(const Tensor& a) {
  const int64_t m = a.size(-2), n = a.size(-1);
  Tensor packed = allocate(joined(leading(a), n, m), a.dtype(), a.device()),
         tau = allocate(joined(leading(a), std::min(m, n)), a.dtype(), a.device());
  Tensor given = turned(detach(a));
  if (packed.numel())
    launch(QrFactor{}, {&packed, &tau}, {&given});
  else
    zero_(tau);
  return {packed, tau};
}

// ---- QR

// X + X^H with the (real part of the) diagonal counted once.
Tensor hermitian_sum(const Tensor& x) {
  Tensor diagonal = diagonal_of(x);
  Tensor once = x.is_complex() ? as_dtype(real(diagonal), x.dtype()) : diagonal;
  return x + adjoint_of(x) - diag_embed(once);
}

// For a square or tall matrix. (Walter and Lehmann, "On evaluating higher-order derivatives of the QR
// decomposition", 2012; the complex case after Hubig et al., 2019.)
Tensor tall_qr_gradient(const Tensor& gq, const Tensor& gr, const Tensor& q, const Tensor& r) {
  Tensor inner = matmul(gr, adjoint_of(r)) - matmul(adjoint_of(q), gq);
  return linalg::solve_triangular(adjoint_of(r), gq + matmul(q, hermitian_sum(triu(inner))), false, false);
}

Tensor qr_gradient(const Tensor& gq, const Tensor& gr, const Tensor& q, const Tensor& r) {
  const int64_t m = q.size(-2), n = r.size(-1);
  if (m >= n) return tall_qr_gradient(gq, gr, q, r);
  auto first = [m](const Tensor& t) { return narrow(t, -1, 0, m); };
  auto rest = [m, n](const Tensor& t) { return narrow(t, -1, m, n - m); };
  Tensor gy = matmul(q, rest(gr));
  // A's last columns are Q times R's, so that Q's gradient grows by what they give.
  Tensor more = matmul(matmul(q, rest(r)), adjoint_of(rest(gr)));
  Tensor square = tall_qr_gradient(gq + more, first(gr), q, first(r));
  return cat({square, gy}, -1);
}

}  // namespace

namespace linalg {

// L of A = L L^H for Hermitian positive-definite A (U of U^H U, `upper`), and LAPACK's verdict: 0, or the
// order of the leading minor that is not positive-definite.
OP("linalg.cholesky_ex(Tensor A, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)");
std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& A, bool upper, bool check_errors) {
  Cholesky c = cholesky_of("linalg.cholesky_ex", A, upper, check_errors);
  return {c.factor, c.info};
}

// L of A = L L^H for Hermitian positive-definite A (U of U^H U, `upper`). LinAlgError when A is not that.
//
// >>> mlx.linalg.cholesky(mlx.tensor([[4., 2.], [2., 2.]]))
// tensor([[2., 0.],
//         [1., 1.]])
OP("linalg.cholesky(Tensor A, *, bool upper=False) -> Tensor");
Tensor cholesky(const Tensor& A, bool upper) { return cholesky_of("linalg.cholesky", A, upper, true).factor; }

}  // namespace linalg

OP("cholesky(Tensor input, bool upper=False) -> Tensor");
Tensor cholesky(const Tensor& input, bool upper) {
  return cholesky_of("cholesky", input, upper, true).factor;
}

// The solution of A X = B by the Cholesky factor L of A.
OP("cholesky_solve(Tensor B, Tensor L, bool upper=False) -> Tensor").alias("Tensor.cholesky_solve");
Tensor cholesky_solve(const Tensor& B, const Tensor& L, bool upper) {
  check_square("cholesky_solve", L, "L");
  check_matrix("cholesky_solve", B, "B");
  Tensor x;
  {
    GradModeGuard off(false);
    Tensor l = upper ? adjoint_of(L) : L;
    x = alias(linalg::solve_triangular(adjoint_of(l), linalg::solve_triangular(l, B, false), true));
  }
  // The gradient is that of (L L^H)^-1 B in all of L, as in PyTorch, though one triangle is read.
  return record("CholeskySolve", x, {&B, &L},
                [upper, l = save(L), result = save_output(x)](Backward& b) -> Grads {
                  Tensor factor = b.get(l), gb = cholesky_solve(b.grad(), factor, upper);
                  Tensor ga = matmul(gb, adjoint_of(b.get(result))), both = ga + adjoint_of(ga);
                  return {gb, -(upper ? matmul(factor, both) : matmul(both, factor))};
                });
}

// The inverse of A by its Cholesky factor L.
OP("cholesky_inverse(Tensor L, bool upper=False) -> Tensor").alias("Tensor.cholesky_inverse");
Tensor cholesky_inverse(const Tensor& L, bool upper) {
  check_square("cholesky_inverse", L, "L");
  return cholesky_solve(expand(eye(L.size(-1), {}, L.dtype(), L.device()), L.shape()), L, upper);
}

// R of the QR decomposition in the upper triangle, the Householder vectors below it, and their factors tau.
OP("geqrf(Tensor input) -> (Tensor a, Tensor tau)");
std::tuple<Tensor, Tensor> geqrf(const Tensor& input) {
  check_matrix("geqrf", input, "input");
  Reflections r = reflections(input);
  return {turned_result(r.packed), r.tau};
}

namespace linalg {

// The first columns of the product of Householder reflectors: geqrf's, whose R is not read.
OP("linalg.householder_product(Tensor input, Tensor tau) -> Tensor").alias(".orgqr");
Tensor householder_product(const Tensor& input, const Tensor& tau) {
  check_reflectors("linalg.householder_product", input, tau);
  if (recording({&input, &tau})) return composed_product(input, tau);
  Tensor q = allocate(joined(leading(input), input.size(-1), input.size(-2)), input.dtype(), input.device());
  Tensor given = turned(detach(input)), factors = detach(tau);
  if (q.numel()) launch(HouseholderProduct{}, {&q}, {&given, &factors});
  return turned_result(q);
}

}  // namespace linalg

// Q other (other Q with left=False; with Q^H for Q, `transpose`) for the square Q of geqrf's reflectors.
OP("ormqr(Tensor input, Tensor tau, Tensor other, bool left=True, bool transpose=False) -> Tensor");
Tensor ormqr(const Tensor& input, const Tensor& tau, const Tensor& other, bool left, bool transpose) {
  check_matrix("ormqr", input, "input");
  check_same_dtype("ormqr", input, other);
  if (other.size(left ? -2 : -1) != input.size(-2))
    throw RuntimeError("ormqr: other.shape[", left ? -2 : -1,
                       "] must be equal to input.shape[-2], but other is ", other.shape(), " and input is ",
                       input.shape());
  if (recording({&input, &tau, &other})) {
    if (!left) return adjoint_of(ormqr(input, tau, adjoint_of(other), true, !transpose));
    Tensor out = other;
    const int64_t k = tau.size(-1);
    for (int64_t i = 0; i < k; ++i) {
      const int64_t at = transpose ? i : k - 1 - i;
      Tensor scale = select(tau, -1, at);
      out = reflected(reflector(input, at), transpose ? conj(scale) : scale, out);
    }
    return out;
  }
  Tensor out =
      allocate(joined(leading(other), other.size(-1), other.size(-2)), other.dtype(), other.device());
  Tensor columns = turned(detach(narrow(input, -1, 0, tau.size(-1)))), factors = detach(tau),
         given = turned(detach(other));
  if (out.numel()) launch(HouseholderMultiply{left, transpose}, {&out}, {&columns, &factors, &given});
  return turned_result(out);
}

namespace linalg {

// A = Q R with orthonormal columns Q and an upper triangular R. mode "reduced": Q is (m, min(m, n));
// "complete": Q is square; "r": R alone (Q is empty).
OP("linalg.qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)");
std::tuple<Tensor, Tensor> qr(const Tensor& A, const std::string& mode) {
  check_matrix("linalg.qr", A);
  if (mode != "reduced" && mode != "complete" && mode != "r")
    throw RuntimeError("qr received unrecognized mode '", mode,
                       "' but expected one of 'reduced' (default), 'r', or 'complete'");
  const int64_t m = A.size(-2), n = A.size(-1), k = std::min(m, n), wide = mode == "complete" ? m : k;
  Reflections f = reflections(A);
  Tensor r, q;
  {
    GradModeGuard off(false);
    Tensor packed = turned_result(f.packed);
    Tensor top = triu(narrow(packed, -2, 0, k));
    r = wide == k ? top : cat({top, zeros(joined(leading(A), m - k, n), A.dtype(), A.device())}, -2);
    r = alias(r);
    if (mode == "r") {
      q = allocate({0}, A.dtype(), A.device());
    } else {
      // The reflectors, with as many columns as Q shall have.
      Tensor vectors = zeros(joined(leading(A), m, wide), A.dtype(), A.device());
      copy_(narrow(vectors, -1, 0, k), narrow(packed, -1, 0, k), false);
      q = householder_product(vectors, f.tau);
    }
  }
  record_all(
      "LinalgQr", {&q, &r}, {&A},
      [mode, m, n, q = save_output(q, 0), r = save_output(r, 1)](Backward& b) -> Grads {
        if (mode == "r")
          throw RuntimeError(
              "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
              "linalg.qr(A, mode='reduced') if you are going to call backward");
        if (mode == "complete" && m > n)
          throw RuntimeError(
              "The QR decomposition is not differentiable when mode='complete' and nrows > ncols");
        Tensor Q = b.get(q), R = b.get(r);
        return {qr_gradient(b.grad(0), b.grad(1), Q, R)};
      });
  return {q, r};
}

}  // namespace linalg

OP("qr(Tensor input, bool some=True) -> (Tensor Q, Tensor R)");
std::tuple<Tensor, Tensor> qr(const Tensor& input, bool some) {
  return linalg::qr(input, some ? "reduced" : "complete");
}

}  // namespace mlx
