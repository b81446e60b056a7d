// stage 6/8: text <-> ids. A byte-pair tokenizer that reads tokenizer.model and tokenizer.json.
//
// Both files of a checkpoint give the same ids for every text. The references are sentencepiece and Hugging Face's
// tokenizers; they disagree in four places, where this is the rule:
//
//   runs of more spaces than the longest     the longest piece first, from the left, as sentencepiece does (Hugging
//   piece for them                           Face merges pairs by rank)
//   U+2581 written beside spaces             it is a space like any other, as in sentencepiece (Hugging Face takes
//                                            a run of it out before spaces become U+2581)
//   invalid UTF-8                            U+FFFD for each byte that is not part of a character, as sentencepiece
//                                            (Hugging Face does not take such text)
//   `<pad>` `<eos>` `<bos>` `<unk>`          with Specials::tokens those tokens, as in Hugging Face; with
//   `<image>` written in the text            Specials::text ordinary text, as in sentencepiece
//
// A tokenizer.json merges exactly the pairs that it lists, by their rank; one that was converted from sentencepiece
// lists all ways to make each piece, so that the order is that of the scores. `<loc…>` and `<seg…>` are always found
// whole, also where the file doesn't say so (transformers' processor adds them). Characters without a piece become byte
// pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace paligemma {

inline constexpr std::string_view kImageToken = "<image>";

// Whether `<bos>`, `<eos>`, `<image>` ... spelled in a text are those tokens. loc and seg are always tokens.
enum class Specials { text, tokens };

class Tokenizer {
 public:
  // `where` names the file in messages. `image` is the configuration's id of `<image>`, for files that do not hold it
  // (tokenizer.model never does); the file's own comes first. Both throw Error{model, "tokenizer"}; from_json also
  // Error{model, "json"}.
  static Tokenizer from_sentencepiece(std::span<const std::byte> file, std::string_view where,
                                      std::optional<std::int32_t> image = {});
  static Tokenizer from_json(std::string_view text, std::string_view where, std::optional<std::int32_t> image = {});

  // No token is added at either end. Throws Error{usage, "prompt_too_long"} for a text of 512 MiB or more.
  std::vector<std::int32_t> encode(std::string_view utf8, Specials specials) const;

  // As transformers: special tokens (`<mask>` too) are left out unless `keep_specials`, loc and seg stay, ids without a
  // piece are nothing, and a run of byte pieces that is not UTF-8 is U+FFFD for each of its bytes.
  std::string decode(std::span<const std::int32_t> ids, bool keep_specials) const;

  // The piece itself: "▁cow", "<loc0256>", "<0xE2>"; empty for an id that has none.
  std::string_view piece(std::int32_t id) const;

  // One more than the highest id that has a piece.
  int size() const;
  // As size(), but without `<image>` when that comes last: the ids that an answer may hold are below it.
  int real_size() const;

  std::int32_t bos() const { return bos_; }
  std::int32_t eos() const { return eos_; }
  std::int32_t pad() const { return pad_; }
  std::int32_t unk() const { return unk_; }
  std::int32_t newline() const { return newline_; }
  std::optional<std::int32_t> image() const { return image_; }
  std::optional<std::int32_t> loc_begin() const { return loc_begin_; }  // of kLocTokens in a row
  std::optional<std::int32_t> seg_begin() const { return seg_begin_; }  // of kSegTokens in a row
  bool is_loc(std::int32_t id) const { return loc_begin_ && id >= *loc_begin_ && id - *loc_begin_ < kLocTokens; }
  bool is_seg(std::int32_t id) const { return seg_begin_ && id >= *seg_begin_ && id - *seg_begin_ < kSegTokens; }

 private:
  friend class TextStream;
  Tokenizer(Vocabulary vocabulary, std::string_view where, std::optional<std::int32_t> image);
  std::int32_t required(std::string_view name, std::string_view where) const;
  std::optional<std::int32_t> row_of(std::string_view kind, int digits, int count, std::string_view where) const;

  Vocabulary vocabulary_;
  std::int32_t bos_, eos_, pad_, unk_, newline_;
  std::optional<std::int32_t> image_, loc_begin_, seg_begin_;
};

// Decodes ids one at a time. What push() and then finish() return, joined, is what decode() gives for all of them: a
// run of byte pieces is held back until it ends.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, bool keep_specials) : tokenizer_(tokenizer), keep_specials_(keep_specials) {}
  std::string push(std::int32_t id);
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool keep_specials_;
  std::string bytes_;
};

}  // namespace paligemma
