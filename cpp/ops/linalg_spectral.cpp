// Singular values and eigenvalues, and what is computed by them: pseudo-inverses, ranks, least squares.

#include <limits>

#include "ops/matrices.h"

namespace mlx {
namespace {

Tensor skewed(const Tensor& x) { return x - adjoint_of(x); }

// x_j - x_i in row i, column j, with ones on the diagonal, which is divided by.
Tensor differences(const Tensor& x) {
  Tensor d = as_row(x) - as_column(x);
  return d + eye(x.size(-1), {}, x.dtype(), x.device());
}

// ---- singular values

struct SingularValues {
  Tensor u, s, vh;  // u and vh are empty when only values were asked for
};

Verdict not_converged(const char* op) {
  return {op,
          "The algorithm failed to converge because the input matrix contained non-finite values, is "
          "ill-conditioned or has too many repeated singular values or eigenvalues (error code: ",
          ")."};
}

// (Wan and Zhang, "Automatic differentiation for complex valued SVD", 2019.)
Tensor svd_gradient(const Tensor& gu, const Tensor& gs, const Tensor& gvh, const Tensor& u, const Tensor& s,
                    const Tensor& vh) {
  const int64_t m = u.size(-2), n = vh.size(-1), k = s.size(-1);
  Tensor gv = adjoint_of(gvh), v = adjoint_of(vh), squares = s * s, gaps = differences(squares);
  Tensor uu = skewed(matmul(adjoint_of(u), gu)) / gaps, vv = skewed(matmul(vh, gv)) / gaps;
  Tensor middle = uu * as_row(s) + as_column(s) * vv;
  // The phases of complex vectors: the diagonal of the skew parts is imaginary.
  if (u.is_complex()) {
    Tensor phase = diagonal_of(matmul(adjoint_of(u), gu) - matmul(vh, gv));
    Tensor turn = complex(zeros_like(s), imag(phase) / (s * 2));
    middle = middle - diag_embed(diagonal_of(middle)) + diag_embed(turn);
  }
  middle = middle + diag_embed(as_dtype(gs, u.dtype()));
  Tensor out = matmul(matmul(u, middle), vh);
  if (m > k) out = out + matmul((gu - matmul(u, matmul(adjoint_of(u), gu))) / as_row(s), vh);
  if (n > k) out = out + matmul(u, adjoint_of((gv - matmul(v, matmul(vh, gv))) / as_row(s)));
  return out;
}

SingularValues singular_values(const char* op, const Tensor& a, bool full, bool wanted) {
  check_matrix(op, a);
  const bool vectors = wanted || recording({&a});
  const int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n), rows = full ? m : k,
                columns = full ? n : k;
  auto room = [&](int64_t p, int64_t q) {
    return vectors ? allocate(joined(leading(a), p, q), a.dtype(), a.device())
                   : allocate({0}, a.dtype(), a.device());
  };
  // By columns.
  Tensor u = room(rows, m), vh = room(n, columns),
         s = allocate(joined(leading(a), k), to_real(a.dtype()), a.device()),
         info = zeros(leading(a), DType::Int32, a.device());
  Tensor given = turned(detach(a));
  if (a.numel()) {
    launch(Svd{vectors, not_converged(op)}, {&u, &s, &vh, &info}, {&given});
  } else if (vectors) {
    copy_(u, expand(eye(rows, m, a.dtype(), a.device()), u.shape()), false);
    copy_(vh, expand(eye(n, columns, a.dtype(), a.device()), vh.shape()), false);
  }
  if (!vectors) return {u, s, vh};
  u = turned_result(u);
  vh = turned_result(vh);
  if (!wanted) {
    // The gradient of values alone exists also where vectors are not unique.
    record("LinalgSvdvals", s, {&a}, [a = save(a), u, vh](Backward& b) -> Grads {
      Tensor in = b.get(a);
      SingularValues f{u, {}, vh};
      if (recording({&in, &b.grad()})) f = singular_values("linalg.svdvals", in, false, true);
      return {matmul(f.u * as_row(as_dtype(b.grad(), u.dtype())), f.vh)};
    });
    return {u, s, vh};
  }
  record_all(
      "LinalgSvd", {&u, &s, &vh}, {&a},
      [m, n, u = save_output(u, 0), s = save_output(s, 1), vh = save_output(vh, 2)](Backward& b) -> Grads {
        // The vectors that complete a basis are arbitrary: as in PyTorch, what depends on them counts
        // for nothing.
        const auto columns = [&](const Tensor& t) { return narrow(t, -1, 0, std::min(m, n)); };
        const auto rows = [&](const Tensor& t) { return narrow(t, -2, 0, std::min(m, n)); };
        return {svd_gradient(columns(b.grad(0)), b.grad(1), rows(b.grad(2)), columns(b.get(u)), b.get(s),
                             rows(b.get(vh)))};
      });
  return {u, s, vh};
}

// ---- eigenvalues

struct Eigenvalues {
  Tensor values, vectors;
};

bool is_upper(const char* op, const std::string& uplo) {
  if (uplo == "L" || uplo == "l" || uplo == "U" || uplo == "u") return uplo == "U" || uplo == "u";
  throw RuntimeError("Expected UPLO argument to be 'L' or 'U', but got ", uplo, " in ", op);
}

Eigenvalues hermitian_eigenvalues(const char* op, const Tensor& a, bool upper, bool wanted) {
  check_square(op, a);
  const bool vectors = wanted || recording({&a});
  Tensor values = allocate(joined(leading(a), a.size(-1)), to_real(a.dtype()), a.device()),
         buffer = allocate(a.shape(), a.dtype(), a.device()),
         info = zeros(leading(a), DType::Int32, a.device());
  Tensor given = turned(detach(a));
  if (a.numel())
    launch(EigenHermitian{upper, vectors, not_converged(op)}, {&values, &buffer, &info}, {&given});
  if (!vectors) return {values, {}};
  Tensor v = turned_result(buffer);
  if (!wanted) {
    record("LinalgEigvalsh", values, {&a}, [op, upper, a = save(a), v](Backward& b) -> Grads {
      Tensor in = b.get(a), V = v;
      if (recording({&in, &b.grad()})) V = hermitian_eigenvalues(op, in, upper, true).vectors;
      return {matmul(V * as_row(as_dtype(b.grad(), v.dtype())), adjoint_of(V))};
    });
    return {values, {}};
  }
  record_all("LinalgEigh", {&values, &v}, {&a},
             [values = save_output(values, 0), v = save_output(v, 1)](Backward& b) -> Grads {
               Tensor V = b.get(v), L = b.get(values);
               Tensor inner = matmul(adjoint_of(V), b.grad(1)) / differences(L);
               inner = inner - diag_embed(diagonal_of(inner)) + diag_embed(as_dtype(b.grad(0), V.dtype()));
               Tensor out = matmul(matmul(V, inner), adjoint_of(V));
               return {(out + adjoint_of(out)) / 2};
             });
  return {values, v};
}

// (Boeddeker et al., "On the computation of complex-valued gradients", 2017; the vectors have norm 1.)
Tensor eigen_gradient(const Tensor& gl, const Tensor& gv, const Tensor& l, const Tensor& v, bool real_input) {
  Tensor vh = adjoint_of(v), product = matmul(vh, gv);
  Tensor lengths = matmul(vh, v) * as_row(as_dtype(real(diagonal_of(product)), v.dtype()));
  Tensor inner = (product - lengths) / conj(differences(l));
  inner = inner - diag_embed(diagonal_of(inner)) + diag_embed(gl);
  Tensor out = std::get<0>(linalg::solve_ex(vh, matmul(inner, vh)));
  return real_input ? real(out) : out;
}

Eigenvalues eigenvalues(const char* op, const Tensor& a, bool wanted) {
  check_square(op, a);
  const bool vectors = wanted || recording({&a});
  const DType type = to_complex(a.dtype());
  Tensor values = allocate(joined(leading(a), a.size(-1)), type, a.device()),
         buffer = vectors ? allocate(a.shape(), type, a.device()) : allocate({0}, type, a.device()),
         info = zeros(leading(a), DType::Int32, a.device());
  Tensor given = turned(detach(a));
  if (a.numel()) launch(Eigen{vectors, not_converged(op)}, {&values, &buffer, &info}, {&given});
  if (!vectors) return {values, {}};
  Tensor v = turned_result(buffer);
  if (!wanted) {
    record("LinalgEigvals", values, {&a},
           [op, is_real = !a.is_complex(), a = save(a), v](Backward& b) -> Grads {
             Tensor in = b.get(a), V = v;
             if (recording({&in, &b.grad()})) V = eigenvalues(op, in, true).vectors;
             Tensor vh = adjoint_of(V);
             Tensor out = std::get<0>(linalg::solve_ex(vh, as_column(b.grad()) * vh));
             return {is_real ? real(out) : out};
           });
    return {values, {}};
  }
  record_all("LinalgEig", {&values, &v}, {&a},
             [is_real = !a.is_complex(), values = save_output(values, 0),
              v = save_output(v, 1)](Backward& b) -> Grads {
               return {eigen_gradient(b.grad(0), b.grad(1), b.get(values), b.get(v), is_real)};
             });
  return {values, v};
}

// ---- tolerances

// max(atol, rtol * largest) for each matrix, with PyTorch's defaults.
Tensor tolerance(const Tensor& a, const Tensor& largest, const Tensor& atol, const Tensor& rtol) {
  const double eps = to_real(a.dtype()) == DType::Float64 ? std::numeric_limits<double>::epsilon()
                                                          : std::numeric_limits<float>::epsilon();
  auto as_given = [&](const Tensor& t) { return as_dtype(t, largest.dtype()); };
  const double size = static_cast<double>(std::max(a.size(-1), a.size(-2)));
  Tensor floor = atol.defined() ? as_given(atol) : zeros({}, largest.dtype(), a.device());
  // An absolute tolerance above zero is enough on its own.
  Tensor share = rtol.defined() ? as_given(rtol)
                                : where(gt(floor, 0), 0, full({}, eps * size, largest.dtype(), a.device()));
  return maximum(floor, share * largest);
}

Tensor largest_of(const Tensor& values) {
  return values.size(-1) ? amax(values, {-1})
                         : zeros(Shape(values.shape().begin(), values.shape().end() - 1), values.dtype(),
                                 values.device());
}

// The pseudo-inverse itself, without history.
Tensor pseudo_inverse(const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  if (hermitian) {
    auto [values, v] = hermitian_eigenvalues("linalg.pinv", a, false, true);
    Tensor sizes = abs(values), bound = as_column(tolerance(a, largest_of(sizes), atol, rtol));
    Tensor inverse = where(gt(sizes, bound), reciprocal(values), 0);
    return matmul(v * as_row(as_dtype(inverse, a.dtype())), adjoint_of(v));
  }
  SingularValues f = singular_values("linalg.pinv", a, false, true);
  Tensor bound = as_column(tolerance(a, largest_of(f.s), atol, rtol));
  Tensor inverse = where(gt(f.s, bound), reciprocal(f.s), 0);
  return matmul(adjoint_of(f.vh) * as_row(as_dtype(inverse, a.dtype())), adjoint_of(f.u));
}

}  // namespace

namespace linalg {

// A = U diag(S) Vh with orthonormal U and V and S real, descending. Without full_matrices, U and V have
// min(m, n) columns.
OP("linalg.svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)");
std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& A, bool full_matrices,
                                       const std::optional<std::string>& driver) {
  if (driver) throw RuntimeError("linalg.svd: keyword argument `driver=` is only supported on CUDA inputs");
  SingularValues f = singular_values("linalg.svd", A, full_matrices, true);
  return {f.u, f.s, f.vh};
}

// The singular values of A, descending.
//
// >>> mlx.linalg.svdvals(mlx.tensor([[3., 0.], [0., 4.]]))
// tensor([4., 3.])
OP("linalg.svdvals(Tensor A, *, str? driver=None) -> Tensor");
Tensor svdvals(const Tensor& A, const std::optional<std::string>& driver) {
  if (driver)
    throw RuntimeError("linalg.svdvals: keyword argument `driver=` is only supported on CUDA inputs");
  return singular_values("linalg.svdvals", A, false, false).s;
}

// The real, ascending eigenvalues and orthonormal eigenvectors (columns) of Hermitian A, of which the
// triangle UPLO is read.
OP("linalg.eigh(Tensor A, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)");
std::tuple<Tensor, Tensor> eigh(const Tensor& A, const std::string& UPLO) {
  Eigenvalues e = hermitian_eigenvalues("linalg.eigh", A, is_upper("linalg.eigh", UPLO), true);
  return {e.values, e.vectors};
}

// The real, ascending eigenvalues of Hermitian A, of which the triangle UPLO is read.
//
// >>> mlx.linalg.eigvalsh(mlx.tensor([[2., 1.], [1., 2.]]))
// tensor([1., 3.])
OP("linalg.eigvalsh(Tensor A, str UPLO='L') -> Tensor");
Tensor eigvalsh(const Tensor& A, const std::string& UPLO) {
  return hermitian_eigenvalues("linalg.eigvalsh", A, is_upper("linalg.eigvalsh", UPLO), false).values;
}

// The complex eigenvalues and eigenvectors (columns of norm 1) of A.
OP("linalg.eig(Tensor A) -> (Tensor eigenvalues, Tensor eigenvectors)");
std::tuple<Tensor, Tensor> eig(const Tensor& A) {
  Eigenvalues e = eigenvalues("linalg.eig", A, true);
  return {e.values, e.vectors};
}

// The complex eigenvalues of A.
OP("linalg.eigvals(Tensor A) -> Tensor");
Tensor eigvals(const Tensor& A) { return eigenvalues("linalg.eigvals", A, false).values; }

// The pseudo-inverse (Moore and Penrose's). Singular values up to max(atol, rtol * the largest) count as
// zero; `hermitian` uses eigenvalues instead.
OP("linalg.pinv(Tensor A, *, Operand? atol=None, Operand? rtol=None, bool hermitian=False) -> Tensor");
Tensor pinv(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  hermitian ? check_square("linalg.pinv", A) : check_matrix("linalg.pinv", A);
  if (A.numel() == 0) return adjoint_of(A) * 1;
  Tensor p;
  {
    GradModeGuard off(false);
    p = alias(pseudo_inverse(A, atol, rtol, hermitian));
  }
  // (Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems", 1973.)
  return record("LinalgPinv", p, {&A}, [a = save(A), p = save_output(p)](Backward& b) -> Grads {
    Tensor A = b.get(a), P = b.get(p), gh = adjoint_of(b.grad()), ph = adjoint_of(P);
    Tensor right = matmul(gh, matmul(P, ph)), left = matmul(matmul(ph, P), gh);
    return {-matmul(matmul(ph, b.grad()), ph) + (right - matmul(A, matmul(P, right))) +
            (left - matmul(matmul(left, P), A))};
  });
}
OP("linalg.pinv(Tensor A, Operand rcond, bool hermitian=False) -> Tensor");
Tensor pinv(const Tensor& A, const Tensor& rcond, bool hermitian) {
  return pinv(A, zeros({}, to_real(A.dtype()), A.device()), rcond, hermitian);
}

// How many singular values (absolute eigenvalues, `hermitian`) exceed max(atol, rtol * the largest).
OP("linalg.matrix_rank(Tensor A, *, Operand? atol=None, Operand? rtol=None, bool hermitian=False) -> Tensor");
Tensor matrix_rank(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  GradModeGuard off(false);
  check_matrix("linalg.matrix_rank", A);
  if (A.numel() == 0) return zeros(leading(A), DType::Int64, A.device());
  Tensor s = hermitian ? abs(eigvalsh(A)) : svdvals(A);
  return sum(gt(s, as_column(tolerance(A, largest_of(s), atol, rtol))), Shape{-1});
}
OP("linalg.matrix_rank(Tensor A, Operand tol, bool hermitian=False) -> Tensor");
Tensor matrix_rank(const Tensor& A, const Tensor& tol, bool hermitian) {
  return matrix_rank(A, tol, zeros({}, to_real(A.dtype()), A.device()), hermitian);
}

// The X that makes the norm of A X - B least (of least norm itself, where there are several), the squared
// norms of the residuals, the rank of A and its singular values. `driver` decides what is computed: "gels"
// wants A of full rank; "gelsd" and "gelss" give singular values. Residuals are empty unless A is tall and of
// full rank, and always with the default, "gelsy".
OP("linalg.lstsq(Tensor A, Tensor B, float? rcond=None, *, str? driver=None) -> (Tensor solution, Tensor "
   "residuals, Tensor rank, Tensor singular_values)");
std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& A, const Tensor& B,
                                                 std::optional<double> rcond,
                                                 const std::optional<std::string>& driver) {
  check_matrix("linalg.lstsq", A);
  check_same_dtype("linalg.lstsq", A, B);
  const std::string how = driver.value_or("gelsy");
  if (how != "gels" && how != "gelsy" && how != "gelsd" && how != "gelss")
    throw RuntimeError("linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), not ",
                       how);
  const bool vectors =
      B.dim() == 1 || (B.dim() == A.dim() - 1 && B.shape() == joined(leading(A), A.size(-2)));
  Tensor a = A, b = vectors ? as_column(B) : B;
  if (a.size(-2) != b.size(-2))
    throw RuntimeError("linalg.lstsq: input.size(-2) should match other.size(-2), but they are ", a.size(-2),
                       " and ", b.size(-2));
  broadcast_stacks("linalg.lstsq", a, b);
  const DType real_type = to_real(A.dtype());
  const double eps = real_type == DType::Float64 ? std::numeric_limits<double>::epsilon()
                                                 : std::numeric_limits<float>::epsilon();
  const int64_t m = A.size(-2), n = A.size(-1);
  auto none = [&](DType t) { return allocate({0}, t, A.device()); };
  Tensor share = full({}, rcond.value_or(eps * static_cast<double>(std::max(m, n))), real_type, A.device());
  Tensor zero = zeros({}, real_type, A.device());
  Tensor x = matmul(pinv(a, zero, how == "gels" ? zero : share, false), b);
  Tensor rank = none(DType::Int64), s = none(real_type), residuals;
  bool with_residuals = m > n && how != "gelsy";
  if (how != "gels") {
    rank = matrix_rank(A, zero, share, false);
    with_residuals = with_residuals && (A.numel() == 0 || item(all(eq(rank, n))).to_bool());
    if (how != "gelsy") s = svdvals(detach(A));
  }
  if (with_residuals) {
    Tensor rest = abs(matmul(a, x) - b);
    residuals = sum(rest * rest, Shape{-2});
  } else {
    Tensor part = narrow(reshape(x, {-1}), 0, 0, 0);
    residuals = part.is_complex() ? real(part) : part;
  }
  return {vectors ? squeeze(x, -1) : x, residuals, rank, s};
}

}  // namespace linalg

// A = U diag(S) V^H: as linalg.svd, with V for its adjoint. Without compute_uv, U and V are zeros.
OP("svd(Tensor input, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)");
std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& input, bool some, bool compute_uv) {
  if (compute_uv) {
    SingularValues f = singular_values("svd", input, !some, true);
    return {f.u, f.s, adjoint_of(f.vh)};
  }
  auto square = [&](int64_t n) { return zeros(joined(leading(input), n, n), input.dtype(), input.device()); };
  return {square(input.size(-2)), linalg::svdvals(input), square(input.size(-1))};
}

OP("pinverse(Tensor input, float rcond=1e-15) -> Tensor");
Tensor pinverse(const Tensor& input, double rcond) {
  return linalg::pinv(input, full({}, rcond, to_real(input.dtype()), input.device()), false);
}

}  // namespace mlx
