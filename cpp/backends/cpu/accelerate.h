#pragma once
// The CBLAS of Accelerate, as far as it is called here.
//
// Declared by hand rather than by <Accelerate/Accelerate.h>, which is in Apple's SDK alone: so a Mac and a
// cross build compile the same text.

// Since macOS 13.3 Accelerate holds BLAS and LAPACK 3.9 behind names with this ending (counts are of 32
// bits); the plain names are those of LAPACK 3.2. Clang takes a dollar sign as a letter.
#define MLX_ACCELERATE(name) name##$NEWLAPACK
#define MLX_CBLAS(name) MLX_ACCELERATE(cblas_##name)

enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 };
enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 };

// `S` is how a scalar is passed (by value, or a complex one by address), `P` what a pointer points to.
#define MLX_DECLARE(p, S, P)                                                                                \
  void MLX_CBLAS(p##gemm)(CBLAS_ORDER, CBLAS_TRANSPOSE a_form, CBLAS_TRANSPOSE b_form, int m, int n, int k, \
                          S alpha, const P* a, int lda, const P* b, int ldb, S beta, P* c, int ldc);        \
  void MLX_CBLAS(p##gemv)(CBLAS_ORDER, CBLAS_TRANSPOSE a_form, int m, int n, S alpha, const P* a, int lda,  \
                          const P* x, int incx, S beta, P* y, int incy);

extern "C" {
MLX_DECLARE(s, float, float)
MLX_DECLARE(d, double, double)
MLX_DECLARE(c, const void*, void)
MLX_DECLARE(z, const void*, void)
float MLX_CBLAS(sdot)(int n, const float* x, int incx, const float* y, int incy);
double MLX_CBLAS(ddot)(int n, const double* x, int incx, const double* y, int incy);
void MLX_CBLAS(cdotu_sub)(int n, const void* x, int incx, const void* y, int incy, void* result);
void MLX_CBLAS(zdotu_sub)(int n, const void* x, int incx, const void* y, int incy, void* result);
}

#undef MLX_DECLARE
