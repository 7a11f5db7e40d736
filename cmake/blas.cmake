# Target mlx_blas: BLAS and LAPACK, from Accelerate on macOS and from the scipy-openblas32 package elsewhere.
# MLX_BUNDLED_LIBRARIES: the shared libraries that have to travel in the wheel, with their licence.
add_library(mlx_blas INTERFACE)
set(MLX_BUNDLED_LIBRARIES "")

if(APPLE)
  target_link_libraries(mlx_blas INTERFACE $<LINK_LIBRARY:FRAMEWORK,Accelerate>)
  target_compile_definitions(mlx_blas INTERFACE MLX_USE_ACCELERATE)
  return()
endif()

execute_process(
  COMMAND ${Python_EXECUTABLE} -c
          "import importlib.metadata as m, scipy_openblas32 as b; \
dist = m.distribution('scipy-openblas32'); \
print(b.get_include_dir(), b.get_lib_dir(), \
      *(dist.locate_file(f) for f in dist.files if f.name == 'LICENSE.txt'), sep=';')"
  OUTPUT_VARIABLE openblas_dirs OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE openblas_missing)
if(openblas_missing)
  message(FATAL_ERROR "${Python_EXECUTABLE} has no scipy_openblas32; install the package scipy-openblas32")
endif()
list(GET openblas_dirs 0 openblas_include)
list(GET openblas_dirs 1 openblas_lib)
list(GET openblas_dirs 2 openblas_license)

# The library has Fortran's runtime inside and needs nothing but libc, so it is all that is bundled. It is
# copied as it is: stripping it would take 2 % off the wheel.
set(MLX_BUNDLED_LIBRARIES ${openblas_lib}/libscipy_openblas.so ${openblas_license})
add_library(openblas SHARED IMPORTED)
set_target_properties(openblas PROPERTIES IMPORTED_LOCATION ${openblas_lib}/libscipy_openblas.so)
target_include_directories(openblas SYSTEM INTERFACE ${openblas_include})
target_link_libraries(mlx_blas INTERFACE openblas)
target_compile_definitions(mlx_blas INTERFACE MLX_USE_OPENBLAS)
