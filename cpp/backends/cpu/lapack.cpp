#include "backends/cpu/lapack.h"

#include <algorithm>
#include <cstddef>
#include <vector>

// The Fortran names; each character argument has a hidden length behind the others (which Accelerate, a C
// library, leaves unread).
#if defined(MLX_USE_ACCELERATE)
#include "backends/cpu/accelerate.h"
#define MLX_FORTRAN(name) MLX_ACCELERATE(name)
#else
#define MLX_FORTRAN(name) scipy_##name##_
#endif

using Complex64 = std::complex<float>;
using Complex128 = std::complex<double>;
using Size = const int*;
using Char = const char*;
using Length = size_t;

// Of each type: `p` is the letter of the type, `o` begins the names of orthogonal and `h` those of Hermitian
// matrices.
#define MLX_DECLARE(T, p, o, h)                                                                              \
  void MLX_FORTRAN(p##getrf)(Size m, Size n, T * a, Size lda, int* pivots, int* info);                       \
  void MLX_FORTRAN(p##getrs)(Char, Size n, Size k, const T*, Size lda, const int*, T*, Size, int*, Length);  \
  void MLX_FORTRAN(p##trsm)(Char, Char, Char, Char, Size, Size, const T*, const T*, Size, T*, Size, Length,  \
                            Length, Length, Length);                                                         \
  void MLX_FORTRAN(p##potrf)(Char, Size n, T*, Size lda, int* info, Length);                                 \
  void MLX_FORTRAN(p##geqrf)(Size, Size, T*, Size, T * tau, T * work, Size, int* info);                      \
  void MLX_FORTRAN(o##gqr)(Size, Size, Size, T*, Size, const T* tau, T* work, Size, int* info);              \
  void MLX_FORTRAN(o##mqr)(Char, Char, Size, Size, Size, const T*, Size, const T*, T*, Size, T*, Size, int*, \
                           Length, Length);                                                                  \
  void MLX_FORTRAN(p##sytrf)(Char, Size, T*, Size, int*, T*, Size, int*, Length);                            \
  void MLX_FORTRAN(p##sytrs)(Char, Size, Size, const T*, Size, const int*, T*, Size, int*, Length);

#define MLX_DECLARE_REAL(T, p, h)                                                                           \
  void MLX_FORTRAN(p##gesdd)(Char, Size, Size, T*, Size, T*, T*, Size, T*, Size, T*, Size, int*, int*,      \
                             Length);                                                                       \
  void MLX_FORTRAN(h##evd)(Char, Char, Size, T*, Size, T*, T*, Size, int*, Size, int*, Length, Length);     \
  void MLX_FORTRAN(p##geev)(Char, Char, Size, T*, Size, T*, T*, T*, Size, T*, Size, T*, Size, int*, Length, \
                            Length);

#define MLX_DECLARE_COMPLEX(T, R, p, h)                                                                     \
  void MLX_FORTRAN(p##gesdd)(Char, Size, Size, T*, Size, R*, T*, Size, T*, Size, T*, Size, R*, int*, int*,  \
                             Length);                                                                       \
  void MLX_FORTRAN(h##evd)(Char, Char, Size, T*, Size, R*, T*, Size, R*, Size, int*, Size, int*, Length,    \
                           Length);                                                                         \
  void MLX_FORTRAN(p##geev)(Char, Char, Size, T*, Size, T*, T*, Size, T*, Size, T*, Size, R*, int*, Length, \
                            Length);                                                                        \
  void MLX_FORTRAN(h##trf)(Char, Size, T*, Size, int*, T*, Size, int*, Length);                             \
  void MLX_FORTRAN(h##trs)(Char, Size, Size, const T*, Size, const int*, T*, Size, int*, Length);

extern "C" {
MLX_DECLARE(float, s, sor, ssy)
MLX_DECLARE(double, d, dor, dsy)
MLX_DECLARE(Complex64, c, cun, che)
MLX_DECLARE(Complex128, z, zun, zhe)
MLX_DECLARE_REAL(float, s, ssy)
MLX_DECLARE_REAL(double, d, dsy)
MLX_DECLARE_COMPLEX(Complex64, float, c, che)
MLX_DECLARE_COMPLEX(Complex128, double, z, zhe)
}

namespace mlx::cpu::lapack {
namespace {

template <class T>
struct Fortran;

#define MLX_ROUTINES(p, o, h)                          \
  static constexpr auto getrf = MLX_FORTRAN(p##getrf); \
  static constexpr auto getrs = MLX_FORTRAN(p##getrs); \
  static constexpr auto trsm = MLX_FORTRAN(p##trsm);   \
  static constexpr auto potrf = MLX_FORTRAN(p##potrf); \
  static constexpr auto geqrf = MLX_FORTRAN(p##geqrf); \
  static constexpr auto orgqr = MLX_FORTRAN(o##gqr);   \
  static constexpr auto ormqr = MLX_FORTRAN(o##mqr);   \
  static constexpr auto gesdd = MLX_FORTRAN(p##gesdd); \
  static constexpr auto heevd = MLX_FORTRAN(h##evd);   \
  static constexpr auto geev = MLX_FORTRAN(p##geev);   \
  static constexpr auto sytrf = MLX_FORTRAN(p##sytrf); \
  static constexpr auto sytrs = MLX_FORTRAN(p##sytrs); \
  static constexpr auto hetrf = MLX_FORTRAN(h##trf);   \
  static constexpr auto hetrs = MLX_FORTRAN(h##trs);

template <>
struct Fortran<float> {
  static constexpr bool kComplex = false;
  MLX_ROUTINES(s, sor, ssy)
};
template <>
struct Fortran<double> {
  static constexpr bool kComplex = false;
  MLX_ROUTINES(d, dor, dsy)
};
template <>
struct Fortran<Complex64> {
  static constexpr bool kComplex = true;
  MLX_ROUTINES(c, cun, che)
};
template <>
struct Fortran<Complex128> {
  static constexpr bool kComplex = true;
  MLX_ROUTINES(z, zun, zhe)
};

// LAPACK wants leading dimensions of at least one.
int leading(int rows) { return std::max(rows, 1); }

// Asks for the best workspace with call(work, -1), then calls with it.
template <class T, class Call>
void with_workspace(Call call) {
  T best{};
  call(&best, -1);
  const int size = std::max(static_cast<int>(std::real(best)), 1);
  std::vector<T> work(static_cast<size_t>(size));
  call(work.data(), size);
}

}  // namespace

template <class T>
int getrf(int m, int n, T* a, int* pivots) {
  int info = 0, lda = leading(m);
  Fortran<T>::getrf(&m, &n, a, &lda, pivots, &info);
  return info;
}

template <class T>
int getrs(char trans, int n, int columns, const T* lu, const int* pivots, T* b) {
  int info = 0, ld = leading(n);
  Fortran<T>::getrs(&trans, &n, &columns, lu, &ld, pivots, b, &ld, &info, 1);
  return info;
}

template <class T>
void trsm(char side, char uplo, char trans, char diag, int m, int n, const T* a, T* b) {
  int lda = leading(side == 'L' ? m : n), ldb = leading(m);
  const T one(1);
  Fortran<T>::trsm(&side, &uplo, &trans, &diag, &m, &n, &one, a, &lda, b, &ldb, 1, 1, 1, 1);
}

template <class T>
int potrf(char uplo, int n, T* a) {
  int info = 0, lda = leading(n);
  Fortran<T>::potrf(&uplo, &n, a, &lda, &info, 1);
  return info;
}

template <class T>
int geqrf(int m, int n, T* a, T* tau) {
  int info = 0, lda = leading(m);
  with_workspace<T>([&](T* work, int size) { Fortran<T>::geqrf(&m, &n, a, &lda, tau, work, &size, &info); });
  return info;
}

template <class T>
int orgqr(int m, int n, int k, T* a, const T* tau) {
  int info = 0, lda = leading(m);
  with_workspace<T>(
      [&](T* work, int size) { Fortran<T>::orgqr(&m, &n, &k, a, &lda, tau, work, &size, &info); });
  return info;
}

template <class T>
int ormqr(char side, char trans, int m, int n, int k, const T* a, const T* tau, T* c) {
  if (!Fortran<T>::kComplex && trans == 'C') trans = 'T';
  int info = 0, lda = leading(side == 'L' ? m : n), ldc = leading(m);
  with_workspace<T>([&](T* work, int size) {
    Fortran<T>::ormqr(&side, &trans, &m, &n, &k, a, &lda, tau, c, &ldc, work, &size, &info, 1, 1);
  });
  return info;
}

template <class T>
int gesdd(char job, int m, int n, T* a, Real<T>* s, T* u, T* vh) {
  const size_t least = static_cast<size_t>(std::min(m, n)), most = static_cast<size_t>(std::max(m, n));
  int info = 0, lda = leading(m), ldu = leading(m), ldv = leading(job == 'S' ? std::min(m, n) : n);
  std::vector<int> integers(8 * least);
  if constexpr (Fortran<T>::kComplex) {
    const size_t size =
        job == 'N' ? 7 * least
                   : std::max(5 * least * least + 5 * least, 2 * most * least + 2 * least * least + least);
    std::vector<Real<T>> reals(std::max<size_t>(size, 1));
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::gesdd(&job, &m, &n, a, &lda, s, u, &ldu, vh, &ldv, work, &count, reals.data(),
                        integers.data(), &info, 1);
    });
  } else {
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::gesdd(&job, &m, &n, a, &lda, s, u, &ldu, vh, &ldv, work, &count, integers.data(), &info, 1);
    });
  }
  return info;
}

template <class T>
int heevd(char job, char uplo, int n, T* a, Real<T>* values) {
  int info = 0, lda = leading(n);
  const bool vectors = job == 'V';
  std::vector<int> integers(static_cast<size_t>(vectors ? 3 + 5 * n : 1));
  int integer_count = static_cast<int>(integers.size());
  if constexpr (Fortran<T>::kComplex) {
    const size_t wide = static_cast<size_t>(n);
    std::vector<Real<T>> reals(vectors ? 1 + 5 * wide + 2 * wide * wide : std::max<size_t>(wide, 1));
    int real_count = static_cast<int>(reals.size());
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::heevd(&job, &uplo, &n, a, &lda, values, work, &count, reals.data(), &real_count,
                        integers.data(), &integer_count, &info, 1, 1);
    });
  } else {
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::heevd(&job, &uplo, &n, a, &lda, values, work, &count, integers.data(), &integer_count,
                        &info, 1, 1);
    });
  }
  return info;
}

template <class T>
int geev(int n, T* a, std::complex<Real<T>>* values, std::complex<Real<T>>* vectors) {
  int info = 0, ld = leading(n);
  const char left = 'N', right = vectors ? 'V' : 'N';
  const size_t wide = static_cast<size_t>(n);
  if constexpr (Fortran<T>::kComplex) {
    std::vector<Real<T>> reals(std::max<size_t>(2 * wide, 1));
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::geev(&left, &right, &n, a, &ld, values, nullptr, &ld, vectors, &ld, work, &count,
                       reals.data(), &info, 1, 1);
    });
  } else {
    std::vector<T> re(wide), im(wide), packed(vectors ? wide * wide : 0);
    with_workspace<T>([&](T* work, int count) {
      Fortran<T>::geev(&left, &right, &n, a, &ld, re.data(), im.data(), nullptr, &ld, packed.data(), &ld,
                       work, &count, &info, 1, 1);
    });
    for (size_t j = 0; j < wide; ++j) values[j] = {re[j], im[j]};
    if (!vectors) return info;
    // A conjugate pair's vectors lie in two columns: the real part, then the imaginary one.
    for (size_t j = 0; j < wide; ++j) {
      const T* column = packed.data() + j * wide;
      if (im[j] == 0) {
        for (size_t i = 0; i < wide; ++i) vectors[j * wide + i] = column[i];
        continue;
      }
      for (size_t i = 0; i < wide; ++i) {
        vectors[j * wide + i] = {column[i], column[wide + i]};
        vectors[(j + 1) * wide + i] = {column[i], -column[wide + i]};
      }
      ++j;
    }
  }
  return info;
}

template <class T>
int sytrf(bool hermitian, int n, T* a, int* pivots) {
  int info = 0, lda = leading(n);
  const char uplo = 'L';
  with_workspace<T>([&](T* work, int size) {
    (hermitian ? Fortran<T>::hetrf : Fortran<T>::sytrf)(&uplo, &n, a, &lda, pivots, work, &size, &info, 1);
  });
  return info;
}

template <class T>
int sytrs(bool hermitian, int n, int columns, const T* ld, const int* pivots, T* b) {
  int info = 0, lda = leading(n);
  const char uplo = 'L';
  (hermitian ? Fortran<T>::hetrs : Fortran<T>::sytrs)(&uplo, &n, &columns, ld, &lda, pivots, b, &lda, &info,
                                                      1);
  return info;
}

#define MLX_INSTANTIATE(T)                                                    \
  template int getrf(int, int, T*, int*);                                     \
  template int getrs(char, int, int, const T*, const int*, T*);               \
  template void trsm(char, char, char, char, int, int, const T*, T*);         \
  template int potrf(char, int, T*);                                          \
  template int geqrf(int, int, T*, T*);                                       \
  template int orgqr(int, int, int, T*, const T*);                            \
  template int ormqr(char, char, int, int, int, const T*, const T*, T*);      \
  template int gesdd(char, int, int, T*, Real<T>*, T*, T*);                   \
  template int heevd(char, char, int, T*, Real<T>*);                          \
  template int geev(int, T*, std::complex<Real<T>>*, std::complex<Real<T>>*); \
  template int sytrf(bool, int, T*, int*);                                    \
  template int sytrs(bool, int, int, const T*, const int*, T*);

MLX_INSTANTIATE(float)
MLX_INSTANTIATE(double)
MLX_INSTANTIATE(Complex64)
MLX_INSTANTIATE(Complex128)

}  // namespace mlx::cpu::lapack
