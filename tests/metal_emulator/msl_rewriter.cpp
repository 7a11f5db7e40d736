#include "msl_rewriter.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "msl_address_spaces.h"
#include "msl_tokens.h"

namespace metal_emulator {
namespace {

// The attributes that say where a parameter comes from; the values of Source are called like them.
constexpr std::array kSources = {
    "buffer",
    "threadgroup",
    "thread_position_in_grid",
    "thread_position_in_threadgroup",
    "thread_index_in_threadgroup",
    "threadgroup_position_in_grid",
    "threads_per_threadgroup",
    "dispatch_threads_per_threadgroup",
    "threadgroups_per_grid",
    "threads_per_grid",
    "thread_index_in_simdgroup",
    "simdgroup_index_in_threadgroup",
    "simdgroups_per_threadgroup",
    "threads_per_simdgroup",
};

bool is_source(std::string_view name) {
  return std::find(kSources.begin(), kSources.end(), name) != kSources.end();
}

// A use of one of these makes the threads of a group meet, so they must run side by side.
bool makes_threads_meet(std::string_view name) {
  return name == "threadgroup_barrier" || name.starts_with("simd_") || name.starts_with("quad_") ||
         (name.starts_with("simdgroup_") && !is_source(name));
}

bool is_vector_name(std::string_view name) {
  constexpr std::array kScalars = {"bool", "char", "uchar", "short", "ushort", "int",
                                   "uint", "long", "ulong", "half",  "bfloat", "float"};
  if (name.empty() || name.back() < '2' || name.back() > '4') return false;
  name.remove_suffix(1);
  return std::find(kScalars.begin(), kScalars.end(), name) != kScalars.end();
}

// A parameter of a kernel, or an error about it.
struct KernelParameter {
  std::string name;
  std::string slot;
};

class Rewriter {
 public:
  explicit Rewriter(std::string_view source) : source_(source), tokens_(tokenize(source)) {}

  Rewritten run() {
    errors_ = check_address_spaces(tokens_);
    find_vector_names();
    for (const Token& token : tokens_) {
      if (token.kind == Token::Kind::identifier && makes_threads_meet(token.text)) fibers_ = true;
      if (token.text == "thread_elements") prologue_ = "METAL_EMULATOR_ELEMENTS_ARE_USED\n";
      if (token.kind == Token::Kind::number) rewrite_number(token);
    }
    find_macros();
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (is_thread_limit(i)) {
        i = take_thread_limit(i) - 1;
      } else if (is(i, "kernel") && !tokens_[i].in_directive) {
        i = rewrite_kernel(i);
      } else {
        rewrite_statement(i, "");
      }
    }
    return {prologue_ + "#line 1 \"program_source\"\n" + apply() + "\n", std::move(errors_),
            needs_preprocessing_};
  }

 private:
  struct Edit {
    std::size_t begin;
    std::size_t end;
    std::string text;
  };

  bool is(std::size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].text == text;
  }
  bool is_identifier(std::size_t i) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::identifier;
  }
  bool is_attribute(std::size_t i) const { return is(i, "[") && is(i + 1, "["); }

  std::string_view text(std::size_t first, std::size_t last) const {  // of the tokens first..last-1
    return first >= last ? std::string_view()
                         : source_.substr(tokens_[first].begin, tokens_[last - 1].end - tokens_[first].begin);
  }

  void replace(std::size_t first, std::size_t last, std::string with) {
    const std::string_view old = text(first, last);
    with.append(static_cast<std::size_t>(std::count(old.begin(), old.end(), '\n')), '\n');
    edits_.push_back({tokens_[first].begin, tokens_[last - 1].end, std::move(with)});
  }

  void error(std::size_t i, const std::string& message) {
    const int line = i < tokens_.size() ? tokens_[i].line : 0;
    errors_ += "program_source:" + std::to_string(line) + ":1: error: " + message + "\n";
  }

  // The token behind the bracket that closes the one at i.
  std::size_t behind(std::size_t i, std::string_view open, std::string_view close) const {
    int depth = 0;
    for (; i < tokens_.size(); ++i) {
      if (tokens_[i].text == open) ++depth;
      if (tokens_[i].text == close && --depth == 0) return i + 1;
    }
    return i;
  }

  // The type at i if it is a vector: the token behind it, else i.
  std::size_t behind_vector_type(std::size_t i) const {
    if (is(i, "metal") && is(i + 1, ":") && is(i + 2, ":")) i += 3;
    if (is(i, "vec") && is(i + 1, "<")) return behind(i + 1, "<", ">");
    return is_identifier(i) && (is_vector_name(tokens_[i].text) || vector_names_.contains(tokens_[i].text))
               ? i + 1
               : i;
  }

  // typedef float4 Four; using Four = vec<float, 4>; #define Four vec<float, 4>
  void find_vector_names() {
    for (std::size_t i = 0; i + 2 < tokens_.size(); ++i) {
      if (is(i, "typedef")) {
        const std::size_t name = behind_vector_type(i + 1);
        if (name > i + 1 && is_identifier(name) && is(name + 1, ";"))
          vector_names_.insert(tokens_[name].text);
      } else if (is(i, "using") && is(i + 2, "=")) {
        if (is(behind_vector_type(i + 3), ";")) vector_names_.insert(tokens_[i + 1].text);
      } else if (is(i, "define") && tokens_[i].in_directive) {
        const std::size_t end = behind_vector_type(i + 2);
        const bool whole = end > i + 2 && (end == tokens_.size() || !tokens_[end].in_directive ||
                                           tokens_[end].starts_directive);
        if (whole && !is_vector_name(tokens_[i + 1].text)) vector_names_.insert(tokens_[i + 1].text);
      }
    }
  }

  // Half and bfloat literals. (That 1.0 is a float, not a double, clang is told by a flag.)
  void rewrite_number(const Token& token) {
    const std::string_view number = token.text;
    if (number.starts_with("0x") || number.starts_with("0X")) return;
    if (number.ends_with("bf") || number.ends_with("BF")) {
      const std::string digits(number.substr(0, number.size() - 2));
      edits_.push_back({token.begin, token.end, "bfloat(" + digits + "f)"});
    } else if (number.ends_with('h') || number.ends_with('H')) {
      edits_.push_back({token.begin, token.end, std::string(number.substr(0, number.size() - 1)) + "f16"});
    }
  }

  void find_macros() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].in_directive) continue;
      if (is(i, "kernel") || is(i, "threadgroup") || is_attribute(i)) needs_preprocessing_ = true;
    }
  }

  // What may need a change anywhere: constructors of vectors, and threadgroup variables (of `kernel`, if
  // inside one).
  void rewrite_statement(std::size_t i, std::string_view kernel) {
    if (tokens_[i].in_directive) return;
    if (is(i, "threadgroup")) {
      rewrite_variable(i, kernel);
    } else if (is_identifier(i) && (is(i, "vec") || vector_names_.contains(tokens_[i].text))) {
      const std::size_t end = behind_vector_type(i);
      if (end > i && is(end, "(")) {
        edits_.push_back({tokens_[i].begin, tokens_[i].begin, "make_vector<"});
        edits_.push_back({tokens_[end - 1].end, tokens_[end - 1].end, ">"});
      }
    }
  }

  // `threadgroup T a[8], b;` at i. Where a * or & makes it a pointer, or where it is no declaration, the word
  // is dropped by a macro instead.
  void rewrite_variable(std::size_t i, std::string_view kernel) {
    const bool starts_statement = i > 0 && (is(i - 1, "{") || is(i - 1, "}") || is(i - 1, ";"));
    if (!starts_statement) return;
    std::size_t name = i + 1;
    for (int depth = 0; name < tokens_.size(); ++name) {
      if (is(name, "<")) ++depth;
      if (is(name, ">")) --depth;
      if (depth != 0) continue;
      if (is(name, "*") || is(name, "&") || is(name, "(")) return;
      if (name > i + 1 && is_identifier(name) &&
          (is(name + 1, "[") || is(name + 1, ";") || is(name + 1, ",")))
        break;
      if (is(name, ";")) return;
    }
    if (kernel.empty()) return error(i, "threadgroup variables are declared in kernels");
    const std::string type(text(i + 1, name));
    std::string declarations;
    std::size_t end = name;
    for (;;) {
      const std::string_view variable = tokens_[end].text;
      const std::size_t sizes = end + 1;
      for (end = sizes; is(end, "[");) end = behind(end, "[", "]");
      declarations += declare_static(kernel, type, variable, std::string(text(sizes, end)));
      if (!is(end, ",")) break;
      ++end;
    }
    if (!is(end, ";")) return error(i, "a threadgroup variable has no initialiser");
    replace(i, end + 1, declarations);
  }

  std::string declare_static(std::string_view kernel, const std::string& type, std::string_view name,
                             const std::string& sizes) {
    const std::string slot = std::to_string(next_static_++);
    return "METAL_EMULATOR_STATIC(" + std::string(kernel) + ", " + slot + ", " + type + sizes + "); " + type +
           " (&" + std::string(name) + ")" + sizes + " = *static_cast<" + type + " (*)" + sizes +
           ">(metal_emulator::static_memory(" + slot + ")); ";
  }

  // [[max_total_threads_per_threadgroup(n)]], which stands before the kernel or behind the word.
  bool is_thread_limit(std::size_t i) const {
    return is_attribute(i) && !tokens_[i].in_directive && is(i + 2, "max_total_threads_per_threadgroup");
  }

  std::size_t take_thread_limit(std::size_t i) {
    const std::size_t end = behind(i, "[", "]");
    max_threads_ = text(i + 4, end - 3);
    replace(i, end, "");
    return end;
  }

  // Returns the last token of the kernel that begins at i.
  std::size_t rewrite_kernel(std::size_t i) {
    const std::size_t start = i;
    if (i >= 2 && is(i - 1, "[") && is(i - 2, "[")) {  // [[kernel]]
      replace(i - 2, i + 3, "static");
      i += 3;
    } else {
      ++i;
    }
    while (is_thread_limit(i)) i = take_thread_limit(i);
    if (!is(i, "void") || !is_identifier(i + 1) || !is(i + 2, "(")) {
      error(start, "a kernel reads `kernel void name(...)`");
      return start;
    }
    const std::string name(tokens_[i + 1].text);
    const std::size_t close = behind(i + 2, "(", ")") - 1;
    std::vector<KernelParameter> parameters = rewrite_parameters(i + 3, close);
    if (!is(close + 1, "{")) return close;  // a declaration
    const std::size_t end = behind(close + 1, "{", "}");
    next_static_ = 0;
    for (std::size_t j = close + 1; j < end; ++j) rewrite_statement(j, name);
    if (end == 0 || end > tokens_.size()) return tokens_.size();
    const std::size_t behind_body = tokens_[end - 1].end;
    edits_.push_back(
        {behind_body, behind_body, description(name, std::exchange(max_threads_, "1024"), parameters)});
    return end - 1;
  }

  std::vector<KernelParameter> rewrite_parameters(std::size_t first, std::size_t last) {
    std::vector<KernelParameter> parameters;
    int depth = 0;
    std::size_t begin = first;
    for (std::size_t i = first; i <= last; ++i) {
      if (i < last && tokens_[i].in_directive) needs_preprocessing_ = true;
      if (i == last || (depth == 0 && is(i, ","))) {
        if (i > begin) parameters.push_back(rewrite_parameter(begin, i));
        begin = i + 1;
      } else if (is(i, "(") || is(i, "[") || is(i, "<")) {
        ++depth;
      } else if (is(i, ")") || is(i, "]") || is(i, ">")) {
        --depth;
      }
    }
    return parameters;
  }

  KernelParameter rewrite_parameter(std::size_t first, std::size_t last) {
    std::size_t attribute = first;
    while (attribute < last && !is_attribute(attribute)) ++attribute;
    KernelParameter parameter;
    if (attribute > first && is_identifier(attribute - 1)) parameter.name = tokens_[attribute - 1].text;
    if (attribute == last) {
      error(first, "parameter '" + std::string(text(first, last)) + "' of a kernel has no attribute");
      return parameter;
    }
    const std::string source(tokens_[attribute + 2].text);
    const std::size_t end = behind(attribute, "[", "]");
    if (!is_source(source) || end != last) {
      error(attribute, "the emulator does not know the attribute " + std::string(text(attribute, last)));
      return parameter;
    }
    // The word alone is a keyword, which a macro takes away.
    parameter.slot = "metal_emulator::Slot<metal_emulator::Source::" +
                     (source == "threadgroup" ? "threadgroup_memory" : source);
    if (is(attribute + 3, "(")) parameter.slot += ", " + std::string(text(attribute + 3, end - 2));
    parameter.slot += ">";
    replace(attribute, end, "");
    return parameter;
  }

  std::string description(const std::string& name, const std::string& max_threads,
                          const std::vector<KernelParameter>& parameters) const {
    std::string names;
    std::string slots;
    for (const KernelParameter& parameter : parameters) {
      names += (names.empty() ? "\"" : ", \"") + parameter.name + "\"";
      slots += ", " + parameter.slot;
    }
    return " METAL_EMULATOR_KERNEL(" + name + ", " + (fibers_ ? "true" : "false") + ", " + max_threads +
           ", (" + names + ")" + slots + ")";
  }

  std::string apply() {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string result;
    std::size_t at = 0;
    for (const Edit& edit : edits_) {
      if (edit.begin < at) continue;  // inside of something that was replaced
      result += source_.substr(at, edit.begin - at);
      result += edit.text;
      at = edit.end;
    }
    result += source_.substr(at);
    return result;
  }

  std::string_view source_;
  std::vector<Token> tokens_;
  std::set<std::string_view> vector_names_;
  std::vector<Edit> edits_;
  std::string errors_;
  std::string max_threads_ = "1024";  // of the next kernel
  std::string prologue_;
  bool fibers_ = false;
  bool needs_preprocessing_ = false;
  int next_static_ = 0;
};

}  // namespace

Rewritten rewrite_msl(std::string_view source) { return Rewriter(source).run(); }

std::string without_includes(std::string_view source) {
  std::string result(source);
  const std::vector<Token> tokens = tokenize(source);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (!tokens[i].starts_directive || tokens[i + 1].text != "include") continue;
    for (std::size_t at = tokens[i].begin; at < result.size() && result[at] != '\n'; ++at) result[at] = ' ';
  }
  return result;
}

}  // namespace metal_emulator
