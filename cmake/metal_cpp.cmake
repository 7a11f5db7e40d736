# METAL_CPP_DIR: the folder of Apple's metal-cpp headers (Metal/Metal.hpp). Unless it is given, it is taken from the
# package mlx-metal, which carries them. The package is not installed: its top-level folder is called mlx too.
set(METAL_CPP_DIR "" CACHE PATH "Folder of Apple's metal-cpp headers; fetched when empty")
if(METAL_CPP_DIR)
  if(NOT EXISTS ${METAL_CPP_DIR}/Metal/Metal.hpp)
    message(FATAL_ERROR "There is no Metal/Metal.hpp in METAL_CPP_DIR=${METAL_CPP_DIR}")
  endif()
  return()
endif()

set(metal_cpp_package mlx-metal==0.32.4)
set(metal_cpp_download ${CMAKE_BINARY_DIR}/metal_cpp)
set(METAL_CPP_DIR ${metal_cpp_download}/mlx/include/metal_cpp)
if(EXISTS ${METAL_CPP_DIR}/Metal/Metal.hpp)
  return()
endif()
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
message(STATUS "Fetching metal-cpp from ${metal_cpp_package}")
execute_process(
  COMMAND ${Python_EXECUTABLE} -m pip download --quiet --no-deps --only-binary :all: --platform macosx_14_0_arm64
          --dest ${metal_cpp_download} ${metal_cpp_package}
  RESULT_VARIABLE metal_cpp_missing)
file(GLOB metal_cpp_wheel ${metal_cpp_download}/*.whl)
if(metal_cpp_missing OR NOT metal_cpp_wheel)
  message(FATAL_ERROR "Cannot download ${metal_cpp_package}; give -DMETAL_CPP_DIR, a folder with Metal/Metal.hpp")
endif()
file(ARCHIVE_EXTRACT INPUT ${metal_cpp_wheel} DESTINATION ${metal_cpp_download} PATTERNS "mlx/include/metal_cpp/*")
file(REMOVE ${metal_cpp_wheel})
