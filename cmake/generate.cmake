# Headers written by Python scripts at build time from the sources that hold the facts. A script writes its
# outputs only when their text changes, so an edit to a source rebuilds no more than it has to.
set(MLX_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${MLX_GENERATED_DIR})
add_library(mlx_generated INTERFACE)

# mlx_generate(name script source... OUTPUTS file...): a target that runs cmake/<script> --out DIR source...
# to write DIR/<file>....
function(mlx_generate name script)
  cmake_parse_arguments(arg "" "" "OUTPUTS" ${ARGN})
  set(path ${PROJECT_SOURCE_DIR}/cmake/${script})
  list(TRANSFORM arg_OUTPUTS PREPEND ${MLX_GENERATED_DIR}/)
  add_custom_command(
    OUTPUT ${arg_OUTPUTS}
    COMMAND ${Python_EXECUTABLE} ${path} --out ${MLX_GENERATED_DIR} ${arg_UNPARSED_ARGUMENTS}
    DEPENDS ${path} ${arg_UNPARSED_ARGUMENTS}
    COMMENT "Generating ${name}"
    VERBATIM)
  add_custom_target(${name} DEPENDS ${arg_OUTPUTS})
  add_dependencies(mlx_generated ${name})
endfunction()

file(GLOB formula_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/formulas/*.h)
mlx_generate(mlx_formulas generate_formulas.py ${formula_sources} OUTPUTS formulas.inc)

set(MLX_GENERATED_BINDINGS op_bindings_0.cpp op_bindings_1.cpp op_bindings_2.cpp op_bindings_3.cpp)
file(GLOB op_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/ops/*.cpp)
mlx_generate(mlx_ops generate_ops.py ${op_sources} OUTPUTS ops.h ops.cpp ${MLX_GENERATED_BINDINGS})
list(TRANSFORM MLX_GENERATED_BINDINGS PREPEND ${MLX_GENERATED_DIR}/)
