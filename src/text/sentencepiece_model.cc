#include "text/sentencepiece_model.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace paligemma {
namespace {

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t value = 0;  // of varint, fixed64 and fixed32
  std::string_view bytes{};
};

// Walks the fields of one message.
class Message {
 public:
  Message(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  bool next(Field& field) {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t tag = varint();
    field = {.number = tag >> 3, .wire = static_cast<Wire>(tag & 7)};
    switch (field.wire) {
      case Wire::varint: field.value = varint(); return true;
      case Wire::fixed64: field.value = little_endian(take(8)); return true;
      case Wire::fixed32: field.value = little_endian(take(4)); return true;
      case Wire::bytes: field.bytes = take(varint()); return true;
    }
    refuse_tokenizer(where_, "not a sentencepiece model: expected protobuf, got wire type ", tag & 7);
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
      refuse_tokenizer(where_, "truncated, or not a sentencepiece model: a field of ", count, " bytes with ",
                       bytes_.size() - at_, " left");
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7fu) << shift;
      if (byte < 0x80) return value;
    }
    refuse_tokenizer(where_, "not a sentencepiece model: a number of more than 10 bytes");
  }

  static std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  std::string_view bytes_;
  std::string_view where_;
  std::size_t at_ = 0;
};

PieceKind kind_of_type(std::uint64_t type, std::size_t id, std::string_view where) {
  switch (type) {
    case 1: return PieceKind::normal;
    case 2:  // UNKNOWN
    case 3:  // CONTROL
      return PieceKind::special;
    case 4: return PieceKind::fixed;
    case 6: return PieceKind::byte;
    default: refuse_tokenizer(where, "piece ", id, ": expected type 1, 2, 3, 4 or 6, got ", type);
  }
}

Piece read_piece(std::string_view bytes, std::size_t id, std::string_view where) {
  Piece piece{.kind = PieceKind::normal};
  Field field;
  for (Message message(bytes, where); message.next(field);) {
    if (field.number == 1 && field.wire == Wire::bytes) piece.text = field.bytes;
    if (field.number == 2 && field.wire == Wire::fixed32) {
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    }
    if (field.number == 3 && field.wire == Wire::varint) piece.kind = kind_of_type(field.value, id, where);
  }
  // Here already: an empty piece takes two bytes of a file, and thirty times that in memory.
  if (piece.text.empty()) refuse_tokenizer(where, "piece ", id, ": expected a text, got 0 bytes");
  if (!std::isfinite(piece.score)) refuse_tokenizer(where, "piece ", id, ": its score is not a finite number");
  return piece;
}

// The fields that decide over ids; protobuf leaves out those that have these values.
struct Settings {
  std::uint64_t model_type = 1;
  bool byte_fallback = false;
  std::size_t character_map_bytes = 0;
  bool dummy_prefix = true, remove_spaces = true, escape_spaces = true;
};

void read_trainer(std::string_view bytes, std::string_view where, Settings& settings) {
  Field field;
  for (Message message(bytes, where); message.next(field);) {
    if (field.number == 3) settings.model_type = field.value;
    if (field.number == 35) settings.byte_fallback = field.value != 0;
  }
}

void read_normalizer(std::string_view bytes, std::string_view where, Settings& settings) {
  Field field;
  for (Message message(bytes, where); message.next(field);) {
    if (field.number == 2) settings.character_map_bytes = field.bytes.size();
    if (field.number == 3) settings.dummy_prefix = field.value != 0;
    if (field.number == 4) settings.remove_spaces = field.value != 0;
    if (field.number == 5) settings.escape_spaces = field.value != 0;
  }
}

void check(const Settings& settings, std::string_view where) {
  constexpr std::uint64_t kBpe = 2;
  if (settings.model_type != kBpe) {
    refuse_tokenizer(where, "expected a sentencepiece model of type BPE (2), got type ", settings.model_type);
  }
  if (!settings.byte_fallback) refuse_tokenizer(where, "expected byte_fallback true, got false");
  if (settings.character_map_bytes != 0) {
    refuse_tokenizer(where, "expected no character map, got one of ", settings.character_map_bytes, " bytes");
  }
  if (settings.dummy_prefix) refuse_tokenizer(where, "expected add_dummy_prefix false, got true");
  if (settings.remove_spaces) refuse_tokenizer(where, "expected remove_extra_whitespaces false, got true");
  if (!settings.escape_spaces) refuse_tokenizer(where, "expected escape_whitespaces true, got false");
}

}  // namespace

Vocabulary read_sentencepiece(std::span<const std::byte> file, std::string_view where) {
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  std::vector<Piece> pieces;
  Settings settings;
  Field field;
  for (Message message(bytes, where); message.next(field);) {
    if (field.wire != Wire::bytes) continue;
    if (field.number == 1) pieces.push_back(read_piece(field.bytes, pieces.size(), where));
    if (field.number == 2) read_trainer(field.bytes, where, settings);
    if (field.number == 3) read_normalizer(field.bytes, where, settings);
  }
  check(settings, where);
  return Vocabulary(std::move(pieces), where);
}

}  // namespace paligemma
