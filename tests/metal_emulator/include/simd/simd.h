// Stands in for the system header on Linux: the matrix types that MetalFX and acceleration structures
// mention.
#pragma once

typedef float simd_float4 __attribute__((ext_vector_type(4)));
struct simd_float4x4 {
  simd_float4 columns[4];
};
