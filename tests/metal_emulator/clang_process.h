// A clang that has been started ahead and compiles one command line after the other
// (preload/compile_server.cpp).
#pragma once

#include <string>
#include <vector>

#include "subprocess.h"

namespace metal_emulator {

// As run_program, through the waiting clang if there is one, it is idle, and METAL_EMULATOR_SERVER is not 0.
Outcome run_clang(const std::vector<std::string>& arguments, const std::string& scratch);

}  // namespace metal_emulator
