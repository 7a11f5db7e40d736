// Factorisations and solutions of stacks of matrices, by LAPACK.

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/blas.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/lapack.h"
#include "backends/cpu/thread_pool.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

// A launch's tensors are transposed matrices, so that rows are what LAPACK calls columns.
int rows(const Tensor& t) { return static_cast<int>(t.size(-1)); }
int columns(const Tensor& t) { return static_cast<int>(t.size(-2)); }
int64_t area(const Tensor& t) { return t.size(-1) * t.size(-2); }

int64_t stack_size(const Tensor& t) {
  int64_t n = 1;
  for (int64_t d = 0; d < t.dim() - 2; ++d) n *= t.size(d);
  return n;
}

void check_sizes(const Launch& launch) {
  for (const Tensor* t : launch.inputs)
    if (t->dim() >= 2 && std::max(t->size(-1), t->size(-2)) > std::numeric_limits<int>::max())
      throw RuntimeError(kernel_name(launch.kernel), "(): matrices of shape ", t->shape(),
                         " are too large for LAPACK, which counts in 32 bits");
}

template <class F>
void visit_matrix_type(DType t, F&& f) {
  if (t == DType::Float32) return f(float{});
  if (t == DType::Float64) return f(double{});
  if (t == DType::Complex64) return f(std::complex<float>{});
  if (t == DType::Complex128) return f(std::complex<double>{});
  throw NotImplementedError("linear algebra is not implemented for '", short_name(t), "'");
}

// A copy without gaps: LAPACK works in place.
Tensor packed(const Tensor& t) {
  Tensor out = allocate(t.shape(), t.dtype());
  copy_elements(out, t);
  return out;
}
Tensor without_gaps(const Tensor& t) { return t.is_contiguous() ? t : packed(t); }

// Calls body(i) for each of `count` matrices that take about n^3 steps: many side by side, or one with all
// threads inside.
template <class F>
void for_matrices(int64_t count, int64_t n, F body) {
  constexpr int64_t kLarge = 768, kPieceOfWork = 1 << 15;
  if (n >= kLarge && count < num_threads()) {
    LapackThreads threads;
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const int64_t work = std::max<int64_t>(n * n * n, 1);
  parallel_for(0, count, std::max<int64_t>(1, kPieceOfWork / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

// Calls body(i, first, columns) for pieces of the `columns` right-hand sides of each of `count` systems of
// size n. The pieces depend on the shapes alone, and so do results.
template <class F>
void for_right_hand_sides(int64_t count, int64_t n, int columns, F body) {
  constexpr int kColumns = 32;
  constexpr int64_t kPieceOfWork = 1 << 15;
  const int64_t pieces = std::max<int64_t>(ceil_div(columns, kColumns), 1);
  const int64_t work = std::max<int64_t>(n * n * std::min(columns, kColumns), 1);
  parallel_for(0, count * pieces, std::max<int64_t>(1, kPieceOfWork / work), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const int first = static_cast<int>(at % pieces) * kColumns;
      body(at / pieces, first, std::min(kColumns, columns - first));
    }
  });
}

void judge(const Verdict& v, const Tensor& info) {
  if (!v.op) return;
  const int* values = info.data<int>();
  const int* failed = std::find_if(values, values + info.numel(), [](int value) { return value != 0; });
  if (failed == values + info.numel()) return;
  const std::string where = info.dim() ? str("(Batch element ", failed - values, "): ") : "";
  throw LinAlgError(v.op, ": ", where, v.before, v.after ? str(*failed, v.after) : "");
}

void lu_factor(const LuFactor& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &lu = launch.out(0), &pivots = launch.out(1), &info = launch.out(2);
  copy_elements(lu, launch.in(0));
  const int m = rows(lu), n = columns(lu);
  visit_matrix_type(lu.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(lu), std::max(m, n), [&](int64_t i) {
      info.data<int>()[i] =
          lapack::getrf(m, n, lu.data<T>() + i * area(lu), pivots.data<int>() + i * std::min(m, n));
    });
  });
  judge(k.verdict, info);
}

template <class T>
void conjugate(T* x, int64_t n) {
  if constexpr (!std::is_floating_point_v<T>)
    for (int64_t i = 0; i < n; ++i) x[i] = std::conj(x[i]);
}

void lu_solve(const LuSolve& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor& x = launch.out();
  const Tensor lu = without_gaps(launch.in(0)), pivots = without_gaps(launch.in(1));
  copy_elements(x, launch.in(2));
  const int n = rows(x), count = columns(x);
  visit_matrix_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const char trans = !k.transpose ? 'N' : k.conjugate ? 'C' : 'T';
    for_right_hand_sides(stack_size(x), n, count, [&](int64_t i, int64_t first, int columns) {
      T* b = x.data<T>() + i * area(x) + first * n;
      // Conjugation without transposition is not one of LAPACK's forms.
      const bool around = k.conjugate && !k.transpose;
      if (around) conjugate(b, columns * int64_t{n});
      lapack::getrs(trans, n, columns, lu.data<T>() + i * area(lu), pivots.data<int>() + i * n, b);
      if (around) conjugate(b, columns * int64_t{n});
    });
  });
}

void cholesky_factor(const CholeskyFactor& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &factor = launch.out(0), &info = launch.out(1);
  copy_elements(factor, launch.in(0));
  visit_matrix_type(factor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(factor), rows(factor), [&](int64_t i) {
      info.data<int>()[i] =
          lapack::potrf(k.upper ? 'U' : 'L', rows(factor), factor.data<T>() + i * area(factor));
    });
  });
  judge(k.verdict, info);
}

void triangular_solve(const TriangularSolve& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor& x = launch.out();
  const Tensor a = without_gaps(launch.in(0));
  copy_elements(x, launch.in(1));
  visit_matrix_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const char uplo = k.upper ? 'U' : 'L', diagonal = k.unit ? 'U' : 'N';
    const auto matrix = [&](int64_t i) { return a.data<T>() + i * area(a); };
    const auto sides = [&](int64_t i) { return x.data<T>() + i * area(x); };
    if (k.left)
      for_right_hand_sides(stack_size(x), rows(a), columns(x), [&](int64_t i, int64_t first, int count) {
        lapack::trsm('L', uplo, 'N', diagonal, rows(x), count, matrix(i), sides(i) + first * rows(x));
      });
    else
      for_matrices(stack_size(x), rows(a), [&](int64_t i) {
        lapack::trsm('R', uplo, 'N', diagonal, rows(x), columns(x), matrix(i), sides(i));
      });
  });
}

void qr_factor(const QrFactor&, const Launch& launch) {
  check_sizes(launch);
  const Tensor &qr = launch.out(0), &tau = launch.out(1);
  copy_elements(qr, launch.in(0));
  const int m = rows(qr), n = columns(qr);
  visit_matrix_type(qr.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(qr), std::max(m, n), [&](int64_t i) {
      lapack::geqrf(m, n, qr.data<T>() + i * area(qr), tau.data<T>() + i * std::min(m, n));
    });
  });
}

void householder_product(const HouseholderProduct&, const Launch& launch) {
  check_sizes(launch);
  const Tensor& q = launch.out();
  const Tensor tau = without_gaps(launch.in(1));
  copy_elements(q, launch.in(0));
  visit_matrix_type(q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const int k = rows(tau);
    for_matrices(stack_size(q), rows(q), [&](int64_t i) {
      lapack::orgqr(rows(q), columns(q), k, q.data<T>() + i * area(q), tau.data<T>() + i * k);
    });
  });
}

void householder_multiply(const HouseholderMultiply& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor& c = launch.out();
  const Tensor a = without_gaps(launch.in(0)), tau = without_gaps(launch.in(1));
  copy_elements(c, launch.in(2));
  visit_matrix_type(c.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const int count = rows(tau);
    for_matrices(stack_size(c), rows(a), [&](int64_t i) {
      lapack::ormqr(k.left ? 'L' : 'R', k.adjoint ? 'C' : 'N', rows(c), columns(c), count,
                    a.data<T>() + i * area(a), tau.data<T>() + i * count, c.data<T>() + i * area(c));
    });
  });
}

void svd(const Svd& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &u = launch.out(0), &s = launch.out(1), &vh = launch.out(2), &info = launch.out(3);
  const Tensor a = packed(launch.in(0));
  const int m = rows(a), n = columns(a);
  visit_matrix_type(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const char job = !k.vectors ? 'N' : columns(u) == m && rows(vh) == n ? 'A' : 'S';
    for_matrices(stack_size(a), std::max(m, n), [&](int64_t i) {
      info.data<int>()[i] = lapack::gesdd(
          job, m, n, a.data<T>() + i * area(a), s.data<lapack::Real<T>>() + i * std::min(m, n),
          k.vectors ? u.data<T>() + i * area(u) : nullptr, k.vectors ? vh.data<T>() + i * area(vh) : nullptr);
    });
  });
  judge(k.verdict, info);
}

void eigen_hermitian(const EigenHermitian& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &values = launch.out(0), &info = launch.out(2);
  const Tensor& vectors = launch.out(1);
  copy_elements(vectors, launch.in(0));
  const int n = rows(vectors);
  visit_matrix_type(vectors.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(vectors), n, [&](int64_t i) {
      info.data<int>()[i] =
          lapack::heevd(k.vectors ? 'V' : 'N', k.upper ? 'U' : 'L', n, vectors.data<T>() + i * area(vectors),
                        values.data<lapack::Real<T>>() + i * n);
    });
  });
  judge(k.verdict, info);
}

// LAPACK's iteration for general matrices may not end on numbers that are not finite.
template <class T>
void check_finite(const char* op, const T* x, int64_t n) {
  const bool finite = std::all_of(
      x, x + n, [](const T& v) { return std::isfinite(std::real(v)) && std::isfinite(std::imag(v)); });
  if (!finite) throw RuntimeError(op, ": input tensor should not contain infs or NaNs.");
}

void eigen(const Eigen& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &values = launch.out(0), &vectors = launch.out(1), &info = launch.out(2);
  const Tensor a = packed(launch.in(0));
  const int n = rows(a);
  visit_matrix_type(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Complex = std::complex<lapack::Real<T>>;
    check_finite(k.verdict.op, a.data<T>(), a.numel());
    for_matrices(stack_size(a), n, [&](int64_t i) {
      info.data<int>()[i] = lapack::geev(n, a.data<T>() + i * area(a), values.data<Complex>() + i * n,
                                         k.vectors ? vectors.data<Complex>() + i * area(vectors) : nullptr);
    });
  });
  judge(k.verdict, info);
}

void ldl_factor(const LdlFactor& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor &ld = launch.out(0), &pivots = launch.out(1), &info = launch.out(2);
  copy_elements(ld, launch.in(0));
  const int n = rows(ld);
  visit_matrix_type(ld.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(ld), n, [&](int64_t i) {
      info.data<int>()[i] =
          lapack::sytrf(k.hermitian, n, ld.data<T>() + i * area(ld), pivots.data<int>() + i * n);
    });
  });
  judge(k.verdict, info);
}

void ldl_solve(const LdlSolve& k, const Launch& launch) {
  check_sizes(launch);
  const Tensor& x = launch.out();
  const Tensor ld = without_gaps(launch.in(0)), pivots = without_gaps(launch.in(1));
  copy_elements(x, launch.in(2));
  const int n = rows(x);
  visit_matrix_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_matrices(stack_size(x), n, [&](int64_t i) {
      lapack::sytrs(k.hermitian, n, columns(x), ld.data<T>() + i * area(ld), pivots.data<int>() + i * n,
                    x.data<T>() + i * area(x));
    });
  });
}

CPU_KERNEL(LuFactor, lu_factor);
CPU_KERNEL(LuSolve, lu_solve);
CPU_KERNEL(CholeskyFactor, cholesky_factor);
CPU_KERNEL(TriangularSolve, triangular_solve);
CPU_KERNEL(QrFactor, qr_factor);
CPU_KERNEL(HouseholderProduct, householder_product);
CPU_KERNEL(HouseholderMultiply, householder_multiply);
CPU_KERNEL(Svd, svd);
CPU_KERNEL(EigenHermitian, eigen_hermitian);
CPU_KERNEL(Eigen, eigen);
CPU_KERNEL(LdlFactor, ldl_factor);
CPU_KERNEL(LdlSolve, ldl_solve);

}  // namespace
}  // namespace mlx::cpu
