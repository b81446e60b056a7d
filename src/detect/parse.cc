#include "detect/parse.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace paligemma {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";
constexpr std::size_t kLocs = 4, kSegs = 16;

struct TokenKind {
  std::string_view prefix;
  std::size_t digits;
  int limit;
};
constexpr TokenKind kLoc{"<loc", 4, 1024}, kSeg{"<seg", 3, 128};

// The value of a token of this kind at the beginning of `text`.
std::optional<int> token_value(std::string_view text, const TokenKind& kind) {
  const std::size_t size = kind.prefix.size() + kind.digits + 1;
  if (text.size() < size || !text.starts_with(kind.prefix) || text[size - 1] != '>') return {};
  int value = 0;
  for (const char c : text.substr(kind.prefix.size(), kind.digits)) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  if (value >= kind.limit) return {};
  return value;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Without white space around it and ";" at its end.
std::string_view trim_item(std::string_view text) {
  text = trim(text);
  while (text.ends_with(';')) text = trim(text.substr(0, text.size() - 1));
  return text;
}

// Takes the part before the next " ;" out of `text`; a ";" right at the beginning separates too.
std::string_view take_item(std::string_view& text) {
  const std::size_t start = text.find_first_not_of(kSpace);
  std::size_t at = text.find(" ;");
  std::size_t size = 2;
  if (start != std::string_view::npos && text[start] == ';' && start < at) at = start, size = 1;
  const std::string_view item = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + size);
  return trim_item(item);
}

class Reader {
 public:
  Reader(std::string_view text, const Frame& frame, std::span<const std::string> labels)
      : text_(text), frame_(frame), labels_(labels) {}

  Parsed read() {
    std::string_view leading = take_text();
    if (at_ == text_.size()) return {};  // no token at all
    add_stray(leading);
    while (at_ < text_.size()) read_group();
    return std::move(parsed_);
  }

 private:
  bool at_token() const {
    const std::string_view rest = text_.substr(at_);
    return token_value(rest, kLoc) || token_value(rest, kSeg);
  }

  std::string_view take_text() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !at_token()) {
      const std::size_t next = text_.find('<', at_ + 1);
      at_ = next == std::string_view::npos ? text_.size() : next;
    }
    return text_.substr(begin, at_ - begin);
  }

  std::vector<int> take_run(const TokenKind& kind) {
    std::vector<int> values;
    while (const auto value = token_value(text_.substr(at_), kind)) {
      values.push_back(*value);
      at_ += kind.prefix.size() + kind.digits + 1;
    }
    return values;
  }

  // A run of loc tokens, a run of seg tokens, either may be empty, and the text after them.
  void read_group() {
    const std::size_t begin = at_;
    const std::vector<int> locs = take_run(kLoc);
    const std::vector<int> segs = take_run(kSeg);
    const std::string_view tokens = text_.substr(begin, at_ - begin);
    std::string_view rest = take_text();
    const std::string_view label = take_item(rest);
    const auto warn = [&](std::string code) {
      parsed_.warnings.push_back({std::move(code), std::string(tokens) + (label.empty() ? "" : " ") + std::string(label)});
    };

    if (locs.empty()) warn("seg_without_box");
    else if (locs.size() != kLocs) warn("loc_count");
    else if (locs[2] <= locs[0] || locs[3] <= locs[1]) warn("empty_box");
    else {
      if (!segs.empty() && segs.size() != kSegs) warn("seg_count");
      add_object(locs, segs, label, begin);
    }
    add_stray(rest);
  }

  void add_object(const std::vector<int>& locs, const std::vector<int>& segs, std::string_view label, std::size_t offset) {
    Object object{.label = std::string(label), .loc = {locs[0], locs[1], locs[2], locs[3]}};
    const auto pixel = [&](int loc, int side) {
      return std::min(static_cast<double>(loc) * side / frame_.divisor, static_cast<double>(side));
    };
    object.box = {pixel(locs[1], frame_.width), pixel(locs[0], frame_.height), pixel(locs[3], frame_.width),
                  pixel(locs[2], frame_.height)};
    const auto same = [&](const std::string& asked) {
      return std::ranges::equal(asked, label, {}, ascii_lower, ascii_lower);
    };
    if (const auto found = std::ranges::find_if(labels_, same); found != labels_.end())
      object.label_index = static_cast<int>(found - labels_.begin());
    if (segs.size() >= kSegs) std::copy_n(segs.begin(), kSegs, object.seg.emplace().begin());
    parsed_.objects.push_back(std::move(object));
    parsed_.offsets.push_back(offset);
  }

  void add_stray(std::string_view text) {
    while (!text.empty())
      if (const std::string_view item = take_item(text); !item.empty())
        parsed_.warnings.push_back({"stray_text", std::string(item)});
  }

  static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

  std::string_view text_;
  std::size_t at_ = 0;
  Frame frame_;
  std::span<const std::string> labels_;
  Parsed parsed_;
};

}  // namespace

Parsed parse_objects(std::string_view text, const Frame& frame, std::span<const std::string> labels) {
  return Reader(text, frame, labels).read();
}

void score_objects(Parsed& parsed, std::span<const Token> tokens) {
  std::size_t offset = 0, object = 0;
  for (std::size_t i = 0; i < tokens.size() && object < parsed.objects.size(); offset += tokens[i].text.size(), ++i) {
    if (offset != parsed.offsets[object] || tokens[i].text.empty()) continue;
    if (i + kLocs > tokens.size()) break;
    double sum = 0;
    for (std::size_t k = 0; k < kLocs; ++k) sum += tokens[i + k].logprob;
    parsed.objects[object++].score = std::exp(sum / kLocs);
  }
}

}  // namespace paligemma
