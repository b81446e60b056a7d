// Shorthand for building the messages of paligemma::Error: "what failed: where: expected this, got that".
#pragma once

#include <paligemma/paligemma.h>

#include <sstream>
#include <string>
#include <utility>

namespace paligemma {

// Joins its arguments as operator<< prints them.
template <class... Parts>
std::string join(Parts&&... parts) {
  std::ostringstream out;
  (out << ... << std::forward<Parts>(parts));
  return std::move(out).str();
}

// Throws Error{kind, code} with the joined parts as its message.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, std::string code, Parts&&... parts) {
  throw Error(kind, std::move(code), join(std::forward<Parts>(parts)...));
}

}  // namespace paligemma
