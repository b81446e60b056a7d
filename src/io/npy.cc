#include "io/npy.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace paligemma {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<NpyHeader> dictionary() {
    unsigned seen = 0;
    if (!take("{")) return {};
    while (!take("}")) {
      const auto key = quoted();
      if (!key || !take(":")) return {};
      const unsigned bit = value(*key);
      if (bit == 0 || (seen & bit) != 0) return {};
      seen |= bit;
      if (!take(",") && !rest_.starts_with('}')) return {};
    }
    skip_space();
    if (seen != 7 || !rest_.empty()) return {};
    return std::move(header_);
  }

 private:
  // Which of the three keys it was, or 0.
  unsigned value(std::string_view key) {
    if (key == "descr") {
      const auto descr = quoted();
      if (descr) header_.descr = *descr;
      return descr ? 1 : 0;
    }
    if (key == "fortran_order") {
      header_.fortran_order = take("True");
      return header_.fortran_order || take("False") ? 2 : 0;
    }
    return key == "shape" && tuple() ? 4 : 0;
  }

  bool tuple() {
    if (!take("(")) return false;
    while (!take(")")) {
      std::int64_t value = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (error != std::errc{} || value < 0) return false;
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      header_.shape.push_back(value);
      take("L");  // as Python 2 wrote them
      if (!take(",") && !rest_.starts_with(')')) return false;
    }
    return true;
  }

  std::optional<std::string_view> quoted() {
    const std::string_view quote = rest_.starts_with('"') ? "\"" : "'";
    if (!take(quote)) return {};
    const std::size_t end = rest_.find(quote);
    if (end == rest_.npos) return {};
    const auto text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    skip_space();
    return text;
  }

  bool take(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip_space();
    return true;
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size())); }

  std::string_view rest_;
  NpyHeader header_;
};

// Bytes before the dictionary, or 0: the second version has a longer length field.
std::size_t preamble(std::string_view start) {
  if (!start.starts_with(kMagic) || start.size() < 10) return 0;
  const int version = static_cast<unsigned char>(start[6]);
  const std::size_t size = version == 1 ? 10 : 12;
  return version < 1 || version > 3 || start.size() < size ? 0 : size;
}

}  // namespace

std::size_t npy_header_size(std::string_view start) {
  const std::size_t dictionary = preamble(start);
  std::size_t length = 0;
  for (std::size_t i = 8; i < dictionary; ++i)
    length |= static_cast<std::size_t>(static_cast<unsigned char>(start[i])) << 8 * (i - 8);
  return dictionary == 0 ? 0 : dictionary + length;
}

std::optional<NpyHeader> parse_npy_header(std::string_view header) {
  const std::size_t dictionary = preamble(header);
  if (dictionary == 0) return {};
  auto parsed = Parser(header.substr(dictionary)).dictionary();
  if (parsed) parsed->data_offset = header.size();
  return parsed;
}

std::string npy_header(DType dtype, const std::vector<std::int64_t>& shape) {
  std::string tuple;
  for (const std::int64_t size : shape) tuple += (tuple.empty() ? "" : ", ") + std::to_string(size);
  if (shape.size() == 1) tuple += ",";
  const std::string_view descr = dtype == DType::f32 ? "<f4" : dtype == DType::f16 ? "<f2" : "|V2";
  std::string text = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (" + tuple + "), }";
  const std::size_t before = kMagic.size() + 4;
  text += std::string(kAlignment - (before + text.size() + 1) % kAlignment, ' ') + "\n";
  std::string out = std::string(kMagic) + '\1' + '\0';
  out += static_cast<char>(text.size() & 0xff);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

std::optional<DType> npy_dtype(std::string_view descr) {
  if (descr == "<f4") return DType::f32;
  if (descr == "<f2") return DType::f16;
  if (descr == "|V2" || descr == "<V2") return DType::bf16;
  return {};
}

}  // namespace paligemma
