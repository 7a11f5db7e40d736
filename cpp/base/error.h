#pragma once
// The exceptions that mlx raises. Bindings translate each to the Python class of the same meaning.

#include <sstream>
#include <stdexcept>
#include <string>

namespace mlx {

// Joins its arguments as text: str("gather(): dim ", dim, " is out of range").
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  out << std::boolalpha;
  (out << ... << parts);
  return out.str();
}

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
  template <class First, class Second, class... Rest>
  Error(const First& first, const Second& second, const Rest&... rest)
      : std::runtime_error(str(first, second, rest...)) {}
};

struct TypeError : Error {
  using Error::Error;
};
struct ValueError : Error {
  using Error::Error;
};
struct IndexError : Error {
  using Error::Error;
};
struct RuntimeError : Error {
  using Error::Error;
};
struct NotImplementedError : Error {
  using Error::Error;
};
struct LinAlgError : Error {
  using Error::Error;
};
struct OutOfMemoryError : Error {
  using Error::Error;
};
// A function cannot be compiled as it is written.
struct TraceError : Error {
  using Error::Error;
};

}  // namespace mlx
