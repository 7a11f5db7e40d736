// The words of MSL that C++ does not have. `threadgroup` on a variable is the rewriter's work
// (../../msl_rewriter.h): whatever is left of it stands at a pointer.
#pragma once
#pragma clang system_header

#define kernel static
#define device
#define constant const
#define thread
#define threadgroup
#define ray_data
#define object_data

#define __METAL__ 1
#define __METAL_VERSION__ 310
#define __METAL_MACOS__ 1
#define __HAVE_BFLOAT__ 1

#define bool2(...) make_vector<bool2>(__VA_ARGS__)
#define bool3(...) make_vector<bool3>(__VA_ARGS__)
#define bool4(...) make_vector<bool4>(__VA_ARGS__)
#define char2(...) make_vector<char2>(__VA_ARGS__)
#define char3(...) make_vector<char3>(__VA_ARGS__)
#define char4(...) make_vector<char4>(__VA_ARGS__)
#define uchar2(...) make_vector<uchar2>(__VA_ARGS__)
#define uchar3(...) make_vector<uchar3>(__VA_ARGS__)
#define uchar4(...) make_vector<uchar4>(__VA_ARGS__)
#define short2(...) make_vector<short2>(__VA_ARGS__)
#define short3(...) make_vector<short3>(__VA_ARGS__)
#define short4(...) make_vector<short4>(__VA_ARGS__)
#define ushort2(...) make_vector<ushort2>(__VA_ARGS__)
#define ushort3(...) make_vector<ushort3>(__VA_ARGS__)
#define ushort4(...) make_vector<ushort4>(__VA_ARGS__)
#define int2(...) make_vector<int2>(__VA_ARGS__)
#define int3(...) make_vector<int3>(__VA_ARGS__)
#define int4(...) make_vector<int4>(__VA_ARGS__)
#define uint2(...) make_vector<uint2>(__VA_ARGS__)
#define uint3(...) make_vector<uint3>(__VA_ARGS__)
#define uint4(...) make_vector<uint4>(__VA_ARGS__)
#define long2(...) make_vector<long2>(__VA_ARGS__)
#define long3(...) make_vector<long3>(__VA_ARGS__)
#define long4(...) make_vector<long4>(__VA_ARGS__)
#define ulong2(...) make_vector<ulong2>(__VA_ARGS__)
#define ulong3(...) make_vector<ulong3>(__VA_ARGS__)
#define ulong4(...) make_vector<ulong4>(__VA_ARGS__)
#define half2(...) make_vector<half2>(__VA_ARGS__)
#define half3(...) make_vector<half3>(__VA_ARGS__)
#define half4(...) make_vector<half4>(__VA_ARGS__)
#define bfloat2(...) make_vector<bfloat2>(__VA_ARGS__)
#define bfloat3(...) make_vector<bfloat3>(__VA_ARGS__)
#define bfloat4(...) make_vector<bfloat4>(__VA_ARGS__)
#define float2(...) make_vector<float2>(__VA_ARGS__)
#define float3(...) make_vector<float3>(__VA_ARGS__)
#define float4(...) make_vector<float4>(__VA_ARGS__)
