// The tokens of a text in Metal Shading Language.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace metal_emulator {

struct Token {
  enum class Kind { identifier, number, punctuation, literal };
  Kind kind;
  std::size_t begin;
  std::size_t end;
  int line;
  bool in_directive;      // in a line that begins with #
  bool starts_directive;  // the # itself
  std::string_view text;
};

// Comments and white space are left out. Every punctuation character is a token of its own.
std::vector<Token> tokenize(std::string_view source);

}  // namespace metal_emulator
