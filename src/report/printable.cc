#include "report/printable.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace paligemma {
namespace {

constexpr std::uint32_t kNotUtf8 = 0xffffffff;

// The code point at the beginning of `text` (not empty), and how many bytes it takes: 1 when they are not UTF-8.
struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};

CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {kNotUtf8, 1};
  std::uint32_t value = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {kNotUtf8, 1};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = value < (length == 4 ? 0x10000u : length == 3 ? 0x800u : 0x80u);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {kNotUtf8, 1};
  return {value, length};
}

bool acts_on_display(std::uint32_t code) {
  return (code >= 0x80 && code <= 0x9f) ||      // C1
         (code >= 0x2028 && code <= 0x202e) ||  // separators, embeddings, overrides
         (code >= 0x2066 && code <= 0x2069) ||  // isolates
         code == 0xfffe || code == 0xffff;      // no characters
}

void append_hex(std::string& out, std::string_view prefix, std::uint32_t value, int digits) {
  out += prefix;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto [code, bytes] = first_code_point(text);
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code < 0x20 || code == 0x7f || code == kNotUtf8) {
      append_hex(out, "\\x", static_cast<unsigned char>(text[0]), 2);
    } else if (acts_on_display(code)) {
      append_hex(out, "\\u", code, 4);
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::string printable_markup(std::string_view text) {
  std::string markup;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': markup += "&amp;"; break;
      case '<': markup += "&lt;"; break;
      case '>': markup += "&gt;"; break;
      case '"': markup += "&quot;"; break;
      default: markup += c;
    }
  }
  return markup;
}

std::string fixed(double value, int decimals) {
  std::array<char, 512> digits;  // the largest double has 309 digits before the point
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals);
  return {digits.data(), end.ptr};
}

std::string readable_time(double seconds) {
  constexpr double kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (!(seconds >= 99.5)) return fixed(std::isfinite(seconds) ? std::max(seconds, 0.0) : 0.0, 0) + " s";
  const double minutes = std::round(seconds / kMinute);
  if (minutes < 100) return fixed(minutes, 0) + " min";
  if (seconds < 2 * kDay) {
    const double rest = std::fmod(minutes, 60);
    return fixed(std::floor(minutes / 60), 0) + (rest < 10 ? " h 0" : " h ") + fixed(rest, 0) + " min";
  }
  const double hours = std::round(seconds / kHour);
  return fixed(std::floor(hours / 24), 0) + " d " + fixed(std::fmod(hours, 24), 0) + " h";
}

}  // namespace paligemma
