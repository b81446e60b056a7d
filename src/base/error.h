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

inline constexpr std::size_t kLongestMessage = 8000;  // a path may have 4,096 bytes

// Throws Error{kind, code} with the joined parts as its message. What a damaged file says of itself may be as long as
// the file: a message ends after kLongestMessage bytes, between two characters.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, std::string code, Parts&&... parts) {
  std::string message = join(std::forward<Parts>(parts)...);
  if (message.size() > kLongestMessage) {
    std::size_t end = kLongestMessage;
    while (end > kLongestMessage - 4 && (static_cast<unsigned char>(message[end]) & 0xc0u) == 0x80) --end;
    message.replace(end, message.npos, "...");
  }
  throw Error(kind, std::move(code), message);
}

}  // namespace paligemma
