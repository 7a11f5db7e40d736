#include "msl_tokens.h"

#include <cctype>

namespace metal_emulator {
namespace {

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) step();
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  void newline() {
    ++line_;
    at_line_start_ = true;
    in_directive_ = false;
  }

  void step() {
    const char c = peek();
    if (c == '\\' && peek(1) == '\n') {  // the line goes on
      at_ += 2;
      ++line_;
    } else if (c == '\n') {
      ++at_;
      newline();
    } else if (std::isspace(static_cast<unsigned char>(c))) {
      ++at_;
    } else if (c == '/' && peek(1) == '/') {
      while (at_ < source_.size() && peek() != '\n') ++at_;
    } else if (c == '/' && peek(1) == '*') {
      skip_comment();
    } else {
      token(c);
    }
  }

  void skip_comment() {
    const std::size_t close = source_.find("*/", at_ + 2);
    const std::size_t end = close == std::string_view::npos ? source_.size() : close + 2;
    for (; at_ < end; ++at_) line_ += source_[at_] == '\n';
  }

  void token(char c) {
    const bool starts_directive = c == '#' && at_line_start_;
    in_directive_ |= starts_directive;
    at_line_start_ = false;
    const std::size_t begin = at_;
    Token::Kind kind = Token::Kind::punctuation;
    if (std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))) {
      kind = Token::Kind::number;
      take_number();
    } else if (is_word(c)) {
      kind = Token::Kind::identifier;
      while (is_word(peek())) ++at_;
    } else if (c == '"' || c == '\'') {
      kind = Token::Kind::literal;
      take_literal(c);
    } else {
      ++at_;
    }
    tokens_.push_back(
        {kind, begin, at_, line_, in_directive_, starts_directive, source_.substr(begin, at_ - begin)});
  }

  void take_number() {
    while (is_word(peek()) || peek() == '.') {
      const char c = peek();
      ++at_;
      const bool exponent = c == 'e' || c == 'E' || c == 'p' || c == 'P';
      if (exponent && (peek() == '+' || peek() == '-')) ++at_;
    }
  }

  void take_literal(char quote) {
    ++at_;
    while (at_ < source_.size() && peek() != quote && peek() != '\n') at_ += peek() == '\\' ? 2 : 1;
    ++at_;
    if (at_ > source_.size()) at_ = source_.size();
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  bool in_directive_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace metal_emulator
