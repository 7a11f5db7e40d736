# Target mlx_metal: what cpp/backends/metal is compiled and linked with on macOS.
include(cmake/metal_cpp.cmake)

add_library(mlx_metal INTERFACE)
target_include_directories(mlx_metal SYSTEM INTERFACE ${METAL_CPP_DIR})
# Another library in the process may hold metal-cpp too; hidden, the two do not meet.
target_compile_definitions(mlx_metal INTERFACE METALCPP_SYMBOL_VISIBILITY_HIDDEN)
target_link_libraries(mlx_metal INTERFACE $<LINK_LIBRARY:FRAMEWORK,Metal>
                                          $<LINK_LIBRARY:FRAMEWORK,Foundation> objc)
