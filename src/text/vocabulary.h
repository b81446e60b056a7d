// The pieces of a tokenizer, and the three questions that encoding asks of them: which piece is this text, may these
// two neighbours become one, which fixed piece does this text begin with.
//
// Both file formats end here: sentencepiece_model.h and tokenizer_json.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace paligemma {

inline constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581, how pieces spell a space

// `<loc0000>`, ... and `<seg000>`, ... of every tokenizer of the model.
inline constexpr int kLocTokens = 1024, kSegTokens = 128;

enum class PieceKind : std::uint8_t {
  hole,     // an id without a piece
  normal,   // made by merging
  fixed,    // found in the text as it stands and never merged (sentencepiece's USER_DEFINED)
  special,  // as fixed, but only where the text may spell special tokens (CONTROL, UNKNOWN, `<image>`)
  byte,     // one byte of a character that has no piece
};

struct Piece {
  std::string text{};
  PieceKind kind = PieceKind::hole;
  bool hidden = false;  // left out of decoded text unless asked for
  float score = 0;      // of merging to this piece: the highest goes first
};

// One way to make a piece: from its first `left_length` bytes and the rest.
struct Merge {
  std::int32_t result = 0;
  std::uint32_t left_length = 0;
  float score = 0;
};

// Refuses the tokenizer at `where`.
template <class... Parts>
[[noreturn]] void refuse_tokenizer(std::string_view where, Parts&&... parts) {
  fail(ErrorKind::model, "tokenizer", "cannot read the tokenizer: ", where, ": ", std::forward<Parts>(parts)...);
}

// The byte that `<0xHH>` stands for, or -1.
int byte_of_name(std::string_view text);

class Vocabulary {
 public:
  static constexpr std::size_t kMaxPieceBytes = 1024;  // what bounds the work for each byte of text

  // pieces[id], each made by any two neighbours that spell it until set_merges() says otherwise. Some names decide over
  // the kind, so that both formats agree: `<pad>`, `<eos>`, `<bos>`, `<unk>` and `<image>` are special, `<loc0000>` to
  // `<loc1023>` and `<seg000>` to `<seg127>` fixed (transformers adds these to any tokenizer of the model); special
  // pieces are hidden, and so is `<mask>`, as it is in transformers. Throws Error{model, "tokenizer"} unless texts are
  // distinct, non-empty UTF-8 and there is a piece for every byte.
  Vocabulary(std::vector<Piece> pieces, std::string_view where);

  // From now on these are the only ways to make a piece, with their own scores.
  void set_merges(const std::vector<Merge>& merges);

  int size() const { return static_cast<int>(pieces_.size()); }
  const Piece& operator[](std::int32_t id) const { return pieces_[static_cast<std::size_t>(id)]; }
  std::int32_t byte(std::uint8_t value) const { return bytes_[value]; }

  // The id of the piece with this text, of any kind, or -1.
  std::int32_t find(std::string_view text) const;

  // The piece that text[0, left_length) and the rest merge into; `result` is -1 if they don't.
  Merge merge(std::string_view text, std::size_t left_length) const;

  // The longest fixed (or special, with `specials`) piece that `text` begins with, or -1.
  std::int32_t match(std::string_view text, bool specials) const;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
  };

  void settle_kinds();
  void index(std::string_view where);
  void collect_bytes(std::string_view where);
  void sort_fixed();

  std::vector<Piece> pieces_;
  std::vector<Slot> slots_;                    // open addressing by the hash of the text
  std::size_t longest_ = 0;                    // bytes of the longest piece
  std::array<std::int32_t, 256> bytes_{};      // ids of the byte pieces
  std::vector<std::int32_t> fixed_;            // fixed and special pieces in the order of their texts
  std::array<std::uint32_t, 257> by_first_{};  // fixed_[by_first_[b] .. by_first_[b + 1]) begin with byte b
  bool any_merge_ = true;
  std::vector<Merge> merges_;               // by result
  std::vector<std::uint32_t> merge_begin_;  // merges_[merge_begin_[id] .. merge_begin_[id + 1]) make piece id
};

}  // namespace paligemma
