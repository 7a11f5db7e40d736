# Headers written by Python scripts at build time from the sources that hold the facts. A script writes its
# outputs only when their text changes, so an edit to a source rebuilds no more than it has to.
set(MLX_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${MLX_GENERATED_DIR})
add_library(mlx_generated INTERFACE)

# mlx_generate(script output source...): runs cmake/<script> --out DIR source... to write DIR/<output>.
function(mlx_generate script output)
  set(path ${PROJECT_SOURCE_DIR}/cmake/${script})
  if(NOT EXISTS ${path})
    return()
  endif()
  add_custom_command(
    OUTPUT ${MLX_GENERATED_DIR}/${output}
    COMMAND ${Python_EXECUTABLE} ${path} --out ${MLX_GENERATED_DIR} ${ARGN}
    DEPENDS ${path} ${ARGN}
    COMMENT "Generating ${output}"
    VERBATIM)
  add_custom_target(generate_${output} DEPENDS ${MLX_GENERATED_DIR}/${output})
  add_dependencies(mlx_generated generate_${output})
endfunction()

file(GLOB formula_sources CONFIGURE_DEPENDS cpp/formulas/*.h)
mlx_generate(generate_formulas.py formulas.inc ${formula_sources})
file(GLOB op_sources CONFIGURE_DEPENDS cpp/ops/*.cpp)
mlx_generate(generate_ops.py ops_generated.h ${op_sources})
