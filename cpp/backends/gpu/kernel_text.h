#pragma once
// The files of metal/, by their names without the ending; built in (cmake/generate_kernel_texts.py).

#include <string_view>

namespace mlx::gpu {

std::string_view kernel_text(std::string_view name);

}  // namespace mlx::gpu
