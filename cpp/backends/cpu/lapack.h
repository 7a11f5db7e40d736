#pragma once
// LAPACK's routines (Accelerate's or OpenBLAS's), one template each for float, double and their complex
// types. Matrices are stored by columns, ld* apart. Each returns LAPACK's info: 0, or which pivot, minor or
// iteration failed. Workspaces are allocated here.

#include <complex>

namespace mlx::cpu::lapack {

template <class T>
struct RealOf {
  using type = T;
};
template <class R>
struct RealOf<std::complex<R>> {
  using type = R;
};
template <class T>
using Real = typename RealOf<T>::type;

// a = P L U, in place.
template <class T>
int getrf(int m, int n, T* a, int* pivots);
// b = op(A)^-1 b by the factors of A; trans is 'N', 'T' or 'C' (for op).
template <class T>
int getrs(char trans, int n, int columns, const T* lu, const int* pivots, T* b);
// b = op(A)^-1 b (side 'L', A is (m, m)) or b op(A)^-1 (side 'R', A is (n, n)) for triangular A; b is (m, n).
template <class T>
void trsm(char side, char uplo, char trans, char diag, int m, int n, const T* a, T* b);
// The triangle `uplo` of a = L L^H or U^H U, in place.
template <class T>
int potrf(char uplo, int n, T* a);

// a = Q R, in place: R above the diagonal, Householder vectors below it.
template <class T>
int geqrf(int m, int n, T* a, T* tau);
// The first n columns of the product of k reflectors, in place.
template <class T>
int orgqr(int m, int n, int k, T* a, const T* tau);
// c = op(Q) c (side 'L') or c op(Q) (side 'R'); trans is 'N' or 'C'. c is (m, n).
template <class T>
int ormqr(char side, char trans, int m, int n, int k, const T* a, const T* tau, T* c);

// Singular values, and vectors as `job` says: 'A' all, 'S' the first min(m, n), 'N' none. Destroys a.
template <class T>
int gesdd(char job, int m, int n, T* a, Real<T>* s, T* u, T* vh);
// Eigenvalues of the Hermitian matrix of which a holds the triangle `uplo`; vectors replace a ('V').
template <class T>
int heevd(char job, char uplo, int n, T* a, Real<T>* values);
// Eigenvalues, and right eigenvectors unless `vectors` is null. Destroys a.
template <class T>
int geev(int n, T* a, std::complex<Real<T>>* values, std::complex<Real<T>>* vectors);

// Bunch and Kaufman's L D L^T (or, `hermitian`, L D L^H) of the lower triangle, in place.
template <class T>
int sytrf(bool hermitian, int n, T* a, int* pivots);
template <class T>
int sytrs(bool hermitian, int n, int columns, const T* ld, const int* pivots, T* b);

}  // namespace mlx::cpu::lapack
