# Compiles sources once per instruction set and links all of the results; the program picks one at start-up.
#
#   mlx_add_vector_sources(<target> <source>...)
#   mlx_add_bfloat16_sources(<target> <source>...)   for processors with instructions for bfloat16 alone
#
# Each source sees MLX_ISA, the name of the namespace that all its code must live in: two builds of one inline
# function would otherwise be merged by the linker, and a machine could be handed instructions it lacks.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$" OR CMAKE_OSX_ARCHITECTURES STREQUAL "arm64")
  set(MLX_INSTRUCTION_SETS neon)
  set(MLX_BFLOAT16_INSTRUCTION_SETS "")
else()
  set(MLX_INSTRUCTION_SETS v2 v3 v4)
  set(MLX_BFLOAT16_INSTRUCTION_SETS v4_bf16)
endif()

set(MLX_INSTRUCTION_SET_FLAGS_v2 -march=x86-64-v2)
set(MLX_INSTRUCTION_SET_FLAGS_v3 -march=x86-64-v3)
set(MLX_INSTRUCTION_SET_FLAGS_v4 -march=x86-64-v4)
set(MLX_INSTRUCTION_SET_FLAGS_v4_bf16 -march=x86-64-v4 -mavx512bf16)
set(MLX_INSTRUCTION_SET_FLAGS_neon "")

# Floating point:
# - No -ffast-math: NaN, infinities, signed zeros and the order of operations are part of an op's meaning.
# - -ffp-contract=off: `a * b + c` rounds twice on every processor, so that a fused chain of ops equals the ops
#   run one by one, and x * x - x * x is zero. Code that wants a fused multiply-add calls fma().
# - errno and the exception flags are never read, which lets loops with calls and selects be vectorised.
# -fwrapv because integer tensors wrap around.
set(MLX_VECTOR_FLAGS -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Vectors never cross a shared library's boundary, so their calling convention does not matter; and GCC 12's
  # own AVX-512 header trips its warning about uninitialised values.
  list(APPEND MLX_VECTOR_FLAGS -Wno-psabi -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
# A formula `exp` that found no exp() of its argument's type would call itself.
list(APPEND MLX_VECTOR_FLAGS -Werror=infinite-recursion)

function(mlx_add_sources_for_sets target sets)
  foreach(isa IN LISTS sets)
    set(library ${target}_${isa})
    if(NOT TARGET ${library})
      add_library(${library} OBJECT)
      set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON)
      target_compile_features(${library} PRIVATE cxx_std_20)
      target_compile_definitions(${library} PRIVATE MLX_ISA=${isa})
      target_compile_options(${library} PRIVATE ${MLX_VECTOR_FLAGS} ${MLX_INSTRUCTION_SET_FLAGS_${isa}})
      # The target's own include folders, and the generated headers it waits for.
      target_include_directories(${library} PRIVATE $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
      add_dependencies(${library} mlx_formulas)
      target_sources(${target} INTERFACE $<TARGET_OBJECTS:${library}>)
    endif()
    target_sources(${library} PRIVATE ${ARGN})
  endforeach()
endfunction()

function(mlx_add_vector_sources target)
  mlx_add_sources_for_sets(${target} "${MLX_INSTRUCTION_SETS}" ${ARGN})
endfunction()

function(mlx_add_bfloat16_sources target)
  mlx_add_sources_for_sets(${target} "${MLX_BFLOAT16_INSTRUCTION_SETS}" ${ARGN})
endfunction()
