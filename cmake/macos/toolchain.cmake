# Cross-compiles for macOS on arm64 from another system, with the package `ziglang` as compiler and linker. Zig brings
# the C and C++ libraries. Of Apple's SDK, which may not be passed on, include/ declares and stubs/ names the little
# that is used here; from the names the linker writes the load commands of the real frameworks.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_CXX_COMPILER ${CMAKE_CURRENT_LIST_DIR}/zig-c++)
set(CMAKE_CXX_COMPILER_TARGET aarch64-macos.14.0)
# Zig keeps what it has compiled itself.
set(CCACHE OFF)
# CMake's test of the compiler only compiles: a program would be linked with a C++ library built for it alone.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# The target names system and version; there is no SDK to look for.
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
# Nothing is changed after linking, neither run paths nor symbols: it would break the signature that arm64 requires.
set(CMAKE_INSTALL_NAME_TOOL ${CMAKE_CURRENT_LIST_DIR}/none)
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_DO_STRIP OFF)

# Zig writes debugging information unless told otherwise, and its C++ library comes with some; -s leaves that out, before
# the linker signs.
add_compile_options(-g0 "SHELL:-isystem ${CMAKE_CURRENT_LIST_DIR}/include")
add_link_options(-s -F${CMAKE_CURRENT_LIST_DIR}/stubs -L${CMAKE_CURRENT_LIST_DIR}/stubs)
