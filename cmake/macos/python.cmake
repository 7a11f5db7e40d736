# Target mlx_python: what a cross build has to be told about the Python it builds for. It is the version that runs the
# build, with its headers, but on a Mac.
set(PYTHON_MODULE_EXTENSION .cpython-${Python_VERSION_MAJOR}${Python_VERSION_MINOR}-darwin.so)

add_library(mlx_python INTERFACE)
target_compile_options(mlx_python INTERFACE "SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/pyconfig.h")
