#pragma once
// The tables of kernels over contiguous arrays that are compiled once per instruction set: every formula for
// every compute type, and conversions between element types. vector_kernels() is the table for this machine.

#include <cstdint>

#include "base/dtype.h"
#include "formulas/formula.h"

namespace mlx::cpu {

// The types in which arithmetic is done. Other dtypes are widened into one of these first.
enum class ComputeType : uint8_t { UInt8, Int32, Int64, Float32, Float64, Complex64, Complex128 };

inline constexpr int kComputeTypeCount = 7;

constexpr ComputeType compute_index(DType dtype) {
  constexpr ComputeType types[kDTypeCount] = {
      ComputeType::UInt8,   ComputeType::UInt8,   ComputeType::Int32,     ComputeType::Int32,
      ComputeType::Int32,   ComputeType::Int64,   ComputeType::Float32,   ComputeType::Float32,
      ComputeType::Float32, ComputeType::Float64, ComputeType::Complex64, ComputeType::Complex128};
  return types[static_cast<int>(dtype)];
}

// The dtype that stores a compute type as it is.
constexpr DType storage_type(ComputeType type) {
  constexpr DType types[kComputeTypeCount] = {DType::UInt8,     DType::Int32,   DType::Int64,
                                              DType::Float32,   DType::Float64, DType::Complex64,
                                              DType::Complex128};
  return types[static_cast<int>(type)];
}

// Applies a formula to n elements; inputs and output are contiguous, of the compute type, and need no
// alignment. The output may be one of the inputs if its elements are no wider than theirs.
using PointwiseKernel = void (*)(const void* const* inputs, void* output, int64_t n);

struct PointwiseEntry {
  PointwiseKernel kernel = nullptr;  // null where the formula is not defined for the type
  Result result = Result::Same;
};

// Converts n contiguous elements. `in` and `out` must not overlap unless they are the same array of elements
// of the same size.
using ConvertKernel = void (*)(const void* in, void* out, int64_t n);

struct VectorKernels {
  const char* name;  // of the instruction set
  const PointwiseEntry* pointwise_rows[kComputeTypeCount];
  ConvertKernel widen[kDTypeCount];                 // from a dtype to its compute type
  ConvertKernel narrow[kDTypeCount];                // from the compute type back
  ConvertKernel convert[kDTypeCount][kDTypeCount];  // [from][to], with the meaning of a cast

  const PointwiseEntry& pointwise(Formula formula, ComputeType type) const {
    return pointwise_rows[static_cast<int>(type)][static_cast<int>(formula)];
  }
};

// One table an instruction set, in the namespace that the set's code is compiled in.
#if defined(__x86_64__)
namespace v2 {
extern const VectorKernels kernels;
}
namespace v3 {
extern const VectorKernels kernels;
}
namespace v4 {
extern const VectorKernels kernels;
}
inline constexpr const VectorKernels &kernels_v2 = v2::kernels, &kernels_v3 = v3::kernels,
                                     &kernels_v4 = v4::kernels;
#else
namespace neon {
extern const VectorKernels kernels;
}
inline constexpr const VectorKernels& kernels_neon = neon::kernels;
#endif

// The best table that this processor runs, chosen at the first call. The environment variable MLX_CPU_ISA
// (v2, v3 or v4) asks for a lesser one, so that tests reach all of them.
const VectorKernels& vector_kernels();

}  // namespace mlx::cpu
