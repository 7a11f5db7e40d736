# C++ written by Python scripts at build time, from the sources that hold the facts. A script rewrites an
# output only when its text changes, so an edit to a source recompiles no more than it has to.
set(MLX_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${MLX_GENERATED_DIR})

# mlx_generate(target script OUTPUTS name... SOURCES file... [DEPENDS file...]): runs
# cmake/<script> --out DIR file..., which writes DIR/name... Who includes an output depends on the target.
function(mlx_generate target script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "OUTPUTS;SOURCES;DEPENDS")
  list(TRANSFORM arg_OUTPUTS PREPEND ${MLX_GENERATED_DIR}/)
  set(path ${PROJECT_SOURCE_DIR}/cmake/${script})
  add_custom_command(
    OUTPUT ${arg_OUTPUTS}
    COMMAND ${Python_EXECUTABLE} ${path} --out ${MLX_GENERATED_DIR} ${arg_SOURCES}
    DEPENDS ${path} ${arg_SOURCES} ${arg_DEPENDS}
    COMMENT "Running ${script}"
    VERBATIM)
  add_custom_target(${target} DEPENDS ${arg_OUTPUTS})
endfunction()

file(GLOB formula_headers CONFIGURE_DEPENDS cpp/formulas/*.h)
mlx_generate(mlx_formulas generate_formulas.py OUTPUTS formulas.inc SOURCES ${formula_headers})

set(op_bindings op_bindings_0.cpp op_bindings_1.cpp op_bindings_2.cpp op_bindings_3.cpp)
file(GLOB op_sources CONFIGURE_DEPENDS cpp/ops/*.cpp)
mlx_generate(mlx_ops generate_ops.py OUTPUTS ops.h ops.cpp ${op_bindings} SOURCES ${op_sources})
list(TRANSFORM op_bindings PREPEND ${MLX_GENERATED_DIR}/)

# The type stub of the extension module.
set(stub_parts ${PROJECT_SOURCE_DIR}/cmake/generate_ops.py ${PROJECT_SOURCE_DIR}/cmake/stub_head.pyi)
mlx_generate(mlx_stubs generate_stubs.py OUTPUTS _C.pyi SOURCES ${op_sources} DEPENDS ${stub_parts})

# The kernels of GPUs travel as text.
file(GLOB kernel_texts CONFIGURE_DEPENDS metal/*.metal)
file(GLOB kernel_headers CONFIGURE_DEPENDS metal/*.h)
mlx_generate(mlx_kernel_texts generate_kernel_texts.py OUTPUTS kernel_texts.cpp SOURCES ${kernel_texts}
             DEPENDS ${kernel_headers})
