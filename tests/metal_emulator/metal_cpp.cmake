# METAL_CPP_DIR: Apple's metal-cpp headers. Without it they are taken from the wheel of Apple's array framework for
# macOS, which carries them.
set(METAL_CPP_DIR "" CACHE PATH "The folder of metal-cpp, with Metal/Metal.hpp in it")
if(NOT METAL_CPP_DIR)
  set(METAL_CPP_DIR ${CMAKE_BINARY_DIR}/metal_cpp/mlx/include/metal_cpp)
  if(NOT EXISTS ${METAL_CPP_DIR}/Metal/Metal.hpp)
    find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
    message(STATUS "Fetching metal-cpp")
    set(metal_cpp_folder ${CMAKE_BINARY_DIR}/metal_cpp)
    file(MAKE_DIRECTORY ${metal_cpp_folder})
    execute_process(
      COMMAND ${Python_EXECUTABLE} -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all:
              --python-version 3.12 --platform macosx_15_0_arm64 --platform macosx_14_0_arm64 mlx-metal
      WORKING_DIRECTORY ${metal_cpp_folder} COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB metal_cpp_wheel ${metal_cpp_folder}/mlx_metal-*.whl)
    file(ARCHIVE_EXTRACT INPUT ${metal_cpp_wheel} DESTINATION ${metal_cpp_folder} PATTERNS "mlx/include/metal_cpp/*")
    file(REMOVE ${metal_cpp_wheel})
  endif()
endif()
if(NOT EXISTS ${METAL_CPP_DIR}/Metal/Metal.hpp)
  message(FATAL_ERROR "There is no Metal/Metal.hpp in METAL_CPP_DIR=${METAL_CPP_DIR}")
endif()
