// Metal wants an address space on every pointer and reference; C++ does not, so the emulator has to look
// itself.
#pragma once

#include <string>
#include <vector>

#include "msl_tokens.h"

namespace metal_emulator {

// Errors, in the form of clang's messages, about parameters of functions and about declarations that begin
// with the name of a type of the language and have no address space. What is behind templates and macros may
// be missed.
std::string check_address_spaces(const std::vector<Token>& tokens);

}  // namespace metal_emulator
