#include <charconv>

#include "data/pickle_machine.h"
#include "text/utf8.h"

namespace paligemma {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }
}

// The number of `digits` hexadecimal digits at text[at].
std::optional<std::uint32_t> hexadecimal(std::string_view text, std::size_t at, std::size_t digits) {
  std::uint32_t value = 0;
  if (at + digits > text.size()) return {};
  const char* end = text.data() + at + digits;
  const auto read = std::from_chars(text.data() + at, end, value, 16);
  if (read.ec != std::errc() || read.ptr != end) return {};
  return value;
}

// A character of Python 2's narrow builds may be two escapes.
bool append_unicode(std::string& out, std::string_view text, std::size_t& at) {
  const std::size_t digits = text[at] == 'u' ? 4 : 8;
  auto code = hexadecimal(text, at + 1, digits);
  if (!code) return false;
  at += digits;
  if (*code >= 0xd800 && *code < 0xdc00 && text.substr(at + 1, 2) == "\\u") {
    const auto low = hexadecimal(text, at + 3, 4);
    if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    at += 6;
  }
  if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)) return false;
  append_utf8(out, *code);
  return true;
}

}  // namespace

std::string python_text(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

std::optional<std::string> raw_unicode(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == 'u' || text[at + 1] == 'U');
    if (!escape) {
      append_utf8(out, static_cast<unsigned char>(text[at]));
    } else if (!append_unicode(out, text, ++at)) {
      return {};
    }
  }
  return out;
}

std::optional<std::string> python_literal(std::string_view literal) {
  if (literal.size() < 2 || (literal[0] != '\'' && literal[0] != '"') || literal.back() != literal[0]) return {};
  literal = literal.substr(1, literal.size() - 2);
  std::string out;
  for (std::size_t at = 0; at < literal.size(); ++at) {
    if (literal[at] != '\\') {
      out += literal[at];
      continue;
    }
    if (++at == literal.size()) return {};
    constexpr std::string_view kEscapes = "\\'\"nrtabfv", kMeanings = "\\'\"\n\r\t\a\b\f\v";
    const std::size_t which = kEscapes.find(literal[at]);
    if (which != kEscapes.npos) {
      out += kMeanings[which];
    } else if (literal[at] == 'x') {
      const auto byte = hexadecimal(literal, at + 1, 2);
      if (!byte) return {};
      out += static_cast<char>(*byte);
      at += 2;
    } else {
      return {};
    }
  }
  return python_text(out);
}

}  // namespace paligemma
