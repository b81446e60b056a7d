#include "detect/parse.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace paligemma {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

// A kind of token: `opening`, a number of exactly `digits` digits up to `largest`, ">".
struct TokenForm {
  std::string_view opening;
  std::size_t digits;
  int largest;

  constexpr std::size_t length() const { return opening.size() + digits + 1; }
};

constexpr TokenForm kLoc{"<loc", 4, 1023};
constexpr TokenForm kSeg{"<seg", 3, 127};

// The number of the token that `text` begins with.
std::optional<int> number(std::string_view text, const TokenForm& form) {
  if (text.size() < form.length() || !text.starts_with(form.opening) || text[form.length() - 1] != '>') return {};
  int value = 0;
  for (const char c : text.substr(form.opening.size(), form.digits)) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  return value <= form.largest ? std::optional(value) : std::nullopt;
}

// Takes the tokens of one kind that `text` begins with.
std::vector<int> take_run(std::string_view& text, const TokenForm& form) {
  std::vector<int> run;
  while (const auto value = number(text, form)) {
    run.push_back(*value);
    text.remove_prefix(form.length());
  }
  return run;
}

// Takes everything before the first token of any kind.
std::string_view take_text(std::string_view& text) {
  std::size_t end = text.find('<');
  while (end < text.size() && !number(text.substr(end), kLoc) && !number(text.substr(end), kSeg))
    end = text.find('<', end + 1);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(taken.size());
  return taken;
}

std::string_view without_leading_space(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::string_view trim(std::string_view text) {
  text = without_leading_space(text);
  return text.substr(0, text.find_last_not_of(" \t\n\v\f\r;") + 1);
}

// Takes what is before the next separator, and the separator: " ;", or ";" at the very beginning.
std::string_view take_item(std::string_view& text) {
  text = without_leading_space(text);
  const std::string_view separator = text.starts_with(';') ? ";" : " ;";
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view item = trim(text.substr(0, end));
  text.remove_prefix(std::min(end + separator.size(), text.size()));
  return item;
}

std::optional<int> place_of(std::string_view label, std::span<const std::string> labels) {
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const auto& asked) { return trim(asked) == label; });
  if (found == labels.end()) return {};
  return static_cast<int>(found - labels.begin());
}

// A run of loc tokens, the run of seg tokens that follows at once, and the text up to the next token.
struct Group {
  std::size_t offset = 0;
  std::vector<int> locs, segs;
  std::string_view tokens, label;
};

// The group's object, if it is one, and the code of the warning that the group earns, if any.
std::optional<Object> read_group(const Group& group, const Frame& frame, std::string_view& warning) {
  Object object;
  if (group.locs.size() != object.loc.size()) {
    warning = group.locs.empty() ? "seg_without_box" : "loc_count";
    return {};
  }
  std::copy(group.locs.begin(), group.locs.end(), object.loc.begin());
  object.box = box_of(object.loc, frame);
  if (object.box[2] <= object.box[0] || object.box[3] <= object.box[1]) {
    warning = "empty_box";
    return {};
  }
  if (group.segs.size() >= 16) std::copy_n(group.segs.begin(), 16, object.seg.emplace().begin());
  if (!group.segs.empty() && group.segs.size() != 16) warning = "seg_count";
  object.label = group.label;
  return object;
}

std::optional<double> geometric_mean(std::span<const Token> tokens) {
  double sum = 0;
  for (const Token& token : tokens) sum += token.logprob;
  return std::exp(sum / static_cast<double>(tokens.size()));
}

// The first of `tokens` begins at `offset`.
std::optional<double> label_probability(const ObjectPlace& place, std::span<const Token> tokens, std::size_t offset) {
  double sum = 0;
  bool found = false, held = false;
  for (const Token& token : tokens) {
    if (offset >= place.end) break;
    const std::size_t end = offset + token.text.size();
    // Bytes of a character show their text with the token behind them, which then may be the separator.
    const bool separates = held && end > place.end;
    if (offset >= place.label && !separates) sum += token.logprob, found = true;
    held = token.text.empty();
    offset = end;
  }
  if (!found) return {};
  return std::exp(sum);
}

}  // namespace

Parsed parse_objects(std::string_view text, const Frame& frame, std::span<const std::string> labels) {
  Parsed parsed;
  const auto warn = [&](std::string_view code, std::string what) {
    parsed.warnings.push_back({std::string(code), std::move(what)});
  };
  const auto warn_stray = [&](std::string_view stray) {
    while (!stray.empty()) {
      if (const auto item = take_item(stray); !item.empty()) warn("stray_text", std::string(item));
    }
  };
  std::string_view rest = text;
  const std::string_view before = take_text(rest);
  if (rest.empty()) return parsed;
  warn_stray(before);
  while (!rest.empty()) {
    Group group;
    group.offset = text.size() - rest.size();
    group.locs = take_run(rest, kLoc);
    group.segs = take_run(rest, kSeg);
    group.tokens = text.substr(group.offset, text.size() - rest.size() - group.offset);
    std::string_view behind = take_text(rest);
    group.label = take_item(behind);

    std::string_view warning;
    if (auto object = read_group(group, frame, warning)) {
      object->label_index = place_of(object->label, labels);
      parsed.objects.push_back(std::move(*object));
      const std::size_t label = group.offset + group.tokens.size();
      const std::size_t end =
          group.label.empty() ? label : static_cast<std::size_t>(group.label.data() - text.data()) + group.label.size();
      parsed.places.push_back({group.offset, label, end});
    }
    if (!warning.empty())
      warn(warning, std::string(group.tokens) + (group.label.empty() ? "" : " ") + std::string(group.label));
    warn_stray(behind);
  }
  return parsed;
}

void score_objects(Parsed& parsed, std::span<const Token> tokens, ScoreKind kind) {
  std::size_t offset = 0, next = 0;
  for (std::size_t i = 0; i + 4 <= tokens.size(); offset += tokens[i++].text.size()) {
    while (next < parsed.objects.size() && parsed.places[next].begin < offset) ++next;
    if (next == parsed.objects.size()) return;
    const auto locs = tokens.subspan(i, 4);
    // Four loc tokens stand here in the text, so four tokens of that length can only be them.
    if (parsed.places[next].begin != offset ||
        !std::all_of(locs.begin(), locs.end(), [](const Token& t) { return t.text.size() == kLoc.length(); }))
      continue;
    Object& object = parsed.objects[next];
    object.score_kind = kind;
    object.score = kind == ScoreKind::loc_geomean
                       ? geometric_mean(locs)
                       : label_probability(parsed.places[next], tokens.subspan(i + 4), offset + 4 * kLoc.length());
    ++next;
  }
}

}  // namespace paligemma
