#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "text/utf8.h"

namespace paligemma {
namespace {

// More steps than this to a free slot do not happen by chance: the texts were chosen to collide.
constexpr std::size_t kMaxProbes = 1000;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

std::uint32_t hash_of(std::string_view text) {
  std::uint64_t hash = text.size();
  std::uint64_t word = 0;
  while (text.size() >= sizeof word) {
    std::memcpy(&word, text.data(), sizeof word);
    hash = mix(hash, word);
    text.remove_prefix(sizeof word);
  }
  word = 0;
  std::memcpy(&word, text.data(), text.size());
  return static_cast<std::uint32_t>(mix(mix(hash, word), 0) >> 32);
}

// Whether `text` is `begin`, `digits` decimal digits of a number below `limit`, and ">".
bool is_numbered(std::string_view text, std::string_view begin, std::size_t digits, int limit) {
  if (text.size() != begin.size() + digits + 1 || !text.starts_with(begin) || text.back() != '>') return false;
  int number = 0;
  for (const char c : text.substr(begin.size(), digits)) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + (c - '0');
  }
  return number < limit;
}

bool is_special_name(std::string_view text) {
  return text == "<pad>" || text == "<eos>" || text == "<bos>" || text == "<unk>" || text == "<image>";
}

bool is_coordinate_name(std::string_view text) {
  return is_numbered(text, "<loc", 4, kLocTokens) || is_numbered(text, "<seg", 3, kSegTokens);
}

bool is_fixed(PieceKind kind) { return kind == PieceKind::fixed || kind == PieceKind::special; }

}  // namespace

int byte_of_name(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (c >= 'A' && c <= 'F') {
      value = value * 16 + (c - 'A' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

Vocabulary::Vocabulary(std::vector<Piece> pieces, std::string_view where) : pieces_(std::move(pieces)) {
  settle_kinds();
  index(where);
  collect_bytes(where);
  sort_fixed();
}

void Vocabulary::settle_kinds() {
  for (Piece& piece : pieces_) {
    if (is_special_name(piece.text)) piece.kind = PieceKind::special;
    if (is_coordinate_name(piece.text)) piece.kind = PieceKind::fixed;
    if (piece.kind == PieceKind::special || piece.text == "<mask>") piece.hidden = true;
  }
}

void Vocabulary::index(std::string_view where) {
  slots_.resize(std::bit_ceil(2 * pieces_.size() + 1));
  for (std::size_t id = 0; id < pieces_.size(); ++id) {
    const Piece& piece = pieces_[id];
    if (piece.kind == PieceKind::hole) continue;
    if (piece.text.empty() || piece.text.size() > kMaxPieceBytes || !is_utf8(piece.text)) {
      refuse_tokenizer(where, "piece ", id, ": expected 1 to ", kMaxPieceBytes, " bytes of UTF-8, got ",
                       piece.text.size(), " bytes");
    }
    longest_ = std::max(longest_, piece.text.size());
    const std::uint32_t hash = hash_of(piece.text);
    std::size_t at = hash & (slots_.size() - 1);
    for (std::size_t probes = 0; slots_[at].id >= 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash && (*this)[slots_[at].id].text == piece.text) {
        refuse_tokenizer(where, "expected distinct pieces, got \"", piece.text.substr(0, 80), "\" as ", slots_[at].id,
                         " and as ", id);
      }
      if (++probes == kMaxProbes) refuse_tokenizer(where, "its pieces are made to collide in a hash table");
    }
    slots_[at] = {hash, static_cast<std::int32_t>(id)};
  }
}

void Vocabulary::collect_bytes(std::string_view where) {
  bytes_.fill(-1);
  for (std::size_t id = 0; id < pieces_.size(); ++id) {
    if (pieces_[id].kind != PieceKind::byte) continue;
    const int value = byte_of_name(pieces_[id].text);
    if (value < 0) {
      refuse_tokenizer(where, "byte piece ", id, ": expected <0x00> to <0xFF>, got \"", pieces_[id].text.substr(0, 80),
                       "\"");
    }
    bytes_[static_cast<std::size_t>(value)] = static_cast<std::int32_t>(id);
  }
  // Some tokenizer.json of Gemma name this piece by what it stands for.
  if (bytes_['\t'] < 0) bytes_['\t'] = find("\t");
  const auto missing = std::find(bytes_.begin(), bytes_.end(), -1);
  if (missing != bytes_.end()) {
    refuse_tokenizer(where, "expected a piece for each of the 256 bytes, got none for byte ", missing - bytes_.begin());
  }
}

void Vocabulary::sort_fixed() {
  for (std::size_t id = 0; id < pieces_.size(); ++id) {
    if (is_fixed(pieces_[id].kind)) fixed_.push_back(static_cast<std::int32_t>(id));
  }
  std::sort(fixed_.begin(), fixed_.end(),
            [&](std::int32_t a, std::int32_t b) { return (*this)[a].text < (*this)[b].text; });
  for (const std::int32_t id : fixed_) ++by_first_[static_cast<unsigned char>((*this)[id].text[0]) + 1u];
  for (std::size_t b = 0; b < 256; ++b) by_first_[b + 1] += by_first_[b];
}

void Vocabulary::set_merges(const std::vector<Merge>& merges) {
  any_merge_ = false;
  merge_begin_.assign(pieces_.size() + 1, 0);
  for (const Merge& merge : merges) ++merge_begin_[static_cast<std::size_t>(merge.result) + 1];
  for (std::size_t id = 0; id < pieces_.size(); ++id) merge_begin_[id + 1] += merge_begin_[id];
  merges_.resize(merges.size());
  std::vector<std::uint32_t> next(merge_begin_);
  for (const Merge& merge : merges) merges_[next[static_cast<std::size_t>(merge.result)]++] = merge;
}

std::int32_t Vocabulary::find(std::string_view text) const {
  if (text.size() > longest_) return -1;
  const std::uint32_t hash = hash_of(text);
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.id < 0) return -1;
    if (slot.hash == hash && (*this)[slot.id].text == text) return slot.id;
  }
}

Merge Vocabulary::merge(std::string_view text, std::size_t left_length) const {
  constexpr Merge kNone{.result = -1};
  const std::int32_t id = find(text);
  if (id < 0) return kNone;
  const Piece& piece = (*this)[id];
  if (piece.kind != PieceKind::normal && piece.kind != PieceKind::fixed) return kNone;
  const auto left = static_cast<std::uint32_t>(left_length);
  if (any_merge_) return {id, left, piece.score};
  for (std::uint32_t i = merge_begin_[static_cast<std::size_t>(id)]; i < merge_begin_[static_cast<std::size_t>(id) + 1];
       ++i) {
    if (merges_[i].left_length == left) return merges_[i];
  }
  return kNone;
}

// Narrows the sorted fixed pieces byte by byte to those that agree with the text; of these the one that ends first
// comes first.
std::int32_t Vocabulary::match(std::string_view text, bool specials) const {
  const auto first = static_cast<unsigned char>(text[0]);
  auto begin = fixed_.begin() + by_first_[first];
  auto end = fixed_.begin() + by_first_[first + 1u];
  std::int32_t longest = -1;
  for (std::size_t length = 1; begin != end; ++length) {
    if ((*this)[*begin].text.size() == length) {
      if (specials || (*this)[*begin].kind == PieceKind::fixed) longest = *begin;
      ++begin;
    }
    if (length == text.size()) break;
    const auto byte_at = [&](std::int32_t id) { return static_cast<unsigned char>((*this)[id].text[length]); };
    const auto next = static_cast<unsigned char>(text[length]);
    begin = std::lower_bound(begin, end, next, [&](std::int32_t id, unsigned char b) { return byte_at(id) < b; });
    end = std::upper_bound(begin, end, next, [&](unsigned char b, std::int32_t id) { return b < byte_at(id); });
  }
  return longest;
}

}  // namespace paligemma
