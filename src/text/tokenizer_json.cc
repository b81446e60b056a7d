#include "text/tokenizer_json.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"

namespace paligemma {
namespace {

constexpr std::size_t kMaxMerges = std::size_t{1} << 24;  // ranks are exact as float

// object[key], or null where there is no such thing.
const Json& member(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

bool is_text(const Json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

bool is_true(const Json& value) { return value.is_boolean() && value.get<bool>(); }

// What a file says, for a message.
std::string shown(const Json& value) { return dump_json(value).substr(0, 200); }

bool is_replace(const Json& step, std::string_view from, std::string_view to) {
  return is_text(member(step, "type"), "Replace") && is_text(member(member(step, "pattern"), "String"), from) &&
         is_text(member(step, "content"), to);
}

void check_steps(const Json& root, std::string_view where) {
  const Json& normalizer = member(root, "normalizer");
  if (!is_replace(normalizer, " ", kSpaceMark)) {
    refuse_tokenizer(where, "normalizer: expected to replace \" \" by U+2581, got ", shown(normalizer));
  }
  // Finds nothing to split at: the normalizer left no space.
  const Json& splitter = member(root, "pre_tokenizer");
  const bool splits_at_space = is_text(member(splitter, "type"), "Split") &&
                               is_text(member(member(splitter, "pattern"), "String"), " ") &&
                               !is_true(member(splitter, "invert"));
  if (!splitter.is_null() && !splits_at_space) {
    refuse_tokenizer(where, "pre_tokenizer: expected none, or a split at \" \", got ", shown(splitter));
  }
  const Json& decoder = member(root, "decoder");
  const Json& steps = member(decoder, "decoders");
  if (!is_text(member(decoder, "type"), "Sequence") || !steps.is_array() || steps.size() != 3 ||
      !is_replace(steps[0], kSpaceMark, " ") || !is_text(member(steps[1], "type"), "ByteFallback") ||
      !is_text(member(steps[2], "type"), "Fuse")) {
    refuse_tokenizer(where, "decoder: expected a Sequence of Replace U+2581, ByteFallback and Fuse, got ",
                     shown(decoder));
  }
}

void check_model(const Json& model, std::string_view where) {
  const Json& type = member(model, "type");
  if (!is_text(type, "BPE")) refuse_tokenizer(where, "model: expected type \"BPE\", got ", shown(type));
  if (!is_true(member(model, "byte_fallback"))) refuse_tokenizer(where, "model: expected byte_fallback true");
  if (is_true(member(model, "ignore_merges"))) refuse_tokenizer(where, "model: expected ignore_merges false, got true");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json& value = member(model, key);
    if (!value.is_null() && !is_text(value, "") && value != Json(0.0)) {
      refuse_tokenizer(where, "model: expected no ", key, ", got ", shown(value));
    }
  }
}

const Json& array_of(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key);
  if (!value.is_array()) refuse_tokenizer(where, "expected a list \"", key, "\", got ", value.type_name());
  return value;
}

// Places pieces by id. Gaps between ids are allowed (published files have them) but not so many that memory would go
// to nothing else.
class Placer {
 public:
  Placer(std::size_t entries, std::string_view where) : limit_(2 * entries), where_(where) {}

  Piece& place(const Json& id, const std::string& text) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= limit_) {
      refuse_tokenizer(where_, "piece \"", text.substr(0, 80), "\": expected an id below ", limit_, ", got ",
                       shown(id));
    }
    const auto at = id.get<std::size_t>();
    if (at >= pieces_.size()) pieces_.resize(at + 1);
    Piece& piece = pieces_[at];
    if (piece.kind != PieceKind::hole && piece.text != text) {
      refuse_tokenizer(where_, "id ", at, ": expected one piece, got \"", piece.text.substr(0, 80), "\" and \"",
                       text.substr(0, 80), "\"");
    }
    piece.text = text;
    return piece;
  }

  std::vector<Piece> take() { return std::move(pieces_); }

 private:
  std::size_t limit_;
  std::string_view where_;
  std::vector<Piece> pieces_;
};

std::vector<Piece> read_pieces(const Json& root, std::string_view where) {
  const Json& vocabulary = member(member(root, "model"), "vocab");
  const Json& added = array_of(root, "added_tokens", where);
  if (!vocabulary.is_object()) {
    refuse_tokenizer(where, "expected an object \"vocab\", got ", vocabulary.type_name());
  }
  Placer placer(vocabulary.size() + added.size(), where);
  for (const auto& [text, id] : vocabulary.items()) {
    placer.place(id, text).kind = byte_of_name(text) >= 0 ? PieceKind::byte : PieceKind::normal;
  }
  for (const Json& token : added) {
    const Json& content = member(token, "content");
    if (!content.is_string()) refuse_tokenizer(where, "added_tokens: expected a \"content\", got ", shown(token));
    for (const char* key : {"lstrip", "rstrip", "single_word"}) {
      if (is_true(member(token, key)))
        refuse_tokenizer(where, "added_tokens: expected no ", key, ", got ", shown(token));
    }
    const auto& text = content.get_ref<const std::string&>();
    if (text.find(' ') != text.npos) refuse_tokenizer(where, "added_tokens: expected no space in ", shown(token));
    Piece& piece = placer.place(member(token, "id"), text);
    piece.kind = PieceKind::fixed;
    piece.hidden = is_true(member(token, "special"));
  }
  return placer.take();
}

// A merge is ["a", "b"], in older files "a b".
std::pair<std::string_view, std::string_view> read_pair(const Json& merge, std::string_view where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()};
  }
  if (merge.is_string()) {
    const std::string_view text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  refuse_tokenizer(where, "merges: expected two pieces, got ", shown(merge));
}

std::vector<Merge> read_merges(const Json& list, const Vocabulary& vocabulary, std::string_view where) {
  if (list.size() >= kMaxMerges) {
    refuse_tokenizer(where, "expected fewer than ", kMaxMerges, " merges, got ", list.size());
  }
  std::vector<Merge> merges;
  merges.reserve(list.size());
  std::string both;
  for (const Json& entry : list) {
    const auto [left, right] = read_pair(entry, where);
    both.assign(left).append(right);
    const std::int32_t result = vocabulary.find(both);
    if (result < 0 || left.empty() || right.empty()) {
      refuse_tokenizer(where, "merges: expected two parts of a piece, got ", shown(entry));
    }
    merges.push_back({result, static_cast<std::uint32_t>(left.size()), -static_cast<float>(merges.size())});
  }
  return merges;
}

}  // namespace

Vocabulary read_tokenizer_json(std::string_view text, std::string_view where) {
  const Json root = parse_json(text, where, ErrorKind::model);
  const Json& model = member(root, "model");
  check_model(model, where);
  check_steps(root, where);
  Vocabulary vocabulary(read_pieces(root, where), where);
  vocabulary.set_merges(read_merges(array_of(model, "merges", where), vocabulary, where));
  return vocabulary;
}

}  // namespace paligemma
