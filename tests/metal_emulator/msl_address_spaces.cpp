#include "msl_address_spaces.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace metal_emulator {
namespace {

constexpr std::array kAddressSpaces = {"device", "constant", "thread", "threadgroup"};
constexpr std::array kTypes = {"bool", "char",  "uchar",  "short", "ushort", "int",  "uint",
                               "long", "ulong", "size_t", "half",  "bfloat", "float"};

bool is_type(std::string_view name) {
  if (!name.empty() && name.back() >= '2' && name.back() <= '4') name.remove_suffix(1);
  return std::find(kTypes.begin(), kTypes.end(), name) != kTypes.end();
}

class Checker {
 public:
  explicit Checker(const std::vector<Token>& all) {
    for (const Token& token : all) {
      if (!token.in_directive) tokens_.push_back(token);
    }
  }

  std::string run() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (is_parameter_list(i)) check_parameters(i);
      if (starts_statement(i)) check_declaration(i);
    }
    return std::move(errors_);
  }

 private:
  bool is(std::size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].text == text;
  }

  bool is_identifier(std::size_t i) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::identifier;
  }

  bool is_address_space(std::size_t i) const {
    return std::find(kAddressSpaces.begin(), kAddressSpaces.end(), tokens_[i].text) != kAddressSpaces.end();
  }

  std::size_t behind_parenthesis(std::size_t i) const {
    int depth = 0;
    for (; i < tokens_.size(); ++i) {
      if (is(i, "(")) ++depth;
      if (is(i, ")") && --depth == 0) return i + 1;
    }
    return i;
  }

  // The `(` of `type name(...) {`: what stands before a body, and is no `if (...) {` and the like, which
  // follow no type.
  bool is_parameter_list(std::size_t i) const {
    if (!is(i, "(") || i < 2 || !is_identifier(i - 1)) return false;
    const bool follows_type = is_identifier(i - 2) || is(i - 2, ">") || is(i - 2, "*") || is(i - 2, "&");
    if (!follows_type || is(i - 2, "else") || is(i - 2, "return")) return false;
    std::size_t end = behind_parenthesis(i);
    while (is_identifier(end) && !is(end, "if")) ++end;  // const, an address space
    return is(end, "{");
  }

  void check_parameters(std::size_t open) {
    const std::size_t close = behind_parenthesis(open) - 1;
    std::size_t begin = open + 1;
    int depth = 0;
    for (std::size_t i = begin; i <= close; ++i) {
      if (i == close || (depth == 0 && is(i, ","))) {
        check_declarator(begin, i);
        begin = i + 1;
      } else if (is(i, "(") || is(i, "<") || is(i, "[")) {
        ++depth;
      } else if (is(i, ")") || is(i, ">") || is(i, "]")) {
        --depth;
      }
    }
  }

  // Tokens first..last-1 declare something: if a pointer or reference, then with an address space.
  void check_declarator(std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last && !is(i, "="); ++i) {
      if (is_address_space(i)) return;
      if (is(i, "*") || is(i, "&")) return error(i);
    }
  }

  bool starts_statement(std::size_t i) const {
    return i > 0 && (is(i - 1, "{") || is(i - 1, "}") || is(i - 1, ";"));
  }

  // `float* p = ...;`, `const uint4& v = ...;`
  void check_declaration(std::size_t i) {
    if (is(i, "const")) ++i;
    if (!is_identifier(i) || !is_type(tokens_[i].text)) return;
    ++i;
    if (is(i, "const")) ++i;
    if (is(i, "*") || is(i, "&")) error(i);
  }

  void error(std::size_t i) {
    errors_ += "program_source:" + std::to_string(tokens_[i].line) +
               ":1: error: " + (is(i, "*") ? "pointer" : "reference") +
               " type must have an explicit address space\n";
  }

  std::vector<Token> tokens_;
  std::string errors_;
};

}  // namespace

std::string check_address_spaces(const std::vector<Token>& tokens) { return Checker(tokens).run(); }

}  // namespace metal_emulator
