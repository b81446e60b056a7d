#include "text/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "text/bpe.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace paligemma {
namespace {

constexpr std::int32_t kMaxImageId = 1 << 30;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 29;  // three times as many still have 31-bit places

// Spaces as U+2581, malformed bytes as U+FFFD.
std::string normalize(std::string_view utf8) {
  std::string text;
  text.reserve(utf8.size() + utf8.size() / 2);
  for (std::size_t at = 0; at < utf8.size();) {
    const std::size_t length = utf8_length(utf8, at);
    if (length == 0) {
      text += kReplacementCharacter;
    } else if (utf8[at] == ' ') {
      text += kSpaceMark;
    } else {
      text += utf8.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return text;
}

}  // namespace

Tokenizer Tokenizer::from_sentencepiece(std::span<const std::byte> file, std::string_view where,
                                        std::optional<std::int32_t> image) {
  return Tokenizer(read_sentencepiece(file, where), where, image);
}

Tokenizer Tokenizer::from_json(std::string_view text, std::string_view where, std::optional<std::int32_t> image) {
  return Tokenizer(read_tokenizer_json(text, where), where, image);
}

Tokenizer::Tokenizer(Vocabulary vocabulary, std::string_view where, std::optional<std::int32_t> image)
    : vocabulary_(std::move(vocabulary)),
      bos_(required("<bos>", where)),
      eos_(required("<eos>", where)),
      pad_(required("<pad>", where)),
      unk_(required("<unk>", where)),
      image_(image) {
  newline_ = vocabulary_.find("\n");
  if (newline_ < 0) newline_ = vocabulary_.byte('\n');
  if (const std::int32_t own = vocabulary_.find(kImageToken); own >= 0) {
    image_ = own;
  } else if (image && (*image < vocabulary_.size() || *image >= kMaxImageId)) {
    refuse_tokenizer(where, "the configuration's image token: expected an id from ", vocabulary_.size(), " to ",
                     kMaxImageId - 1, ", above the tokenizer's pieces, got ", *image,
                     ". Try: the model's own tokenizer");
  }
  loc_begin_ = row_of("<loc", 4, kLocTokens, where);
  seg_begin_ = row_of("<seg", 3, kSegTokens, where);
}

std::int32_t Tokenizer::required(std::string_view name, std::string_view where) const {
  const std::int32_t id = vocabulary_.find(name);
  if (id < 0) refuse_tokenizer(where, "expected a piece ", name, ", got none");
  return id;
}

// The id of the first of `count` numbered pieces, which must follow each other.
std::optional<std::int32_t> Tokenizer::row_of(std::string_view kind, int digits, int count,
                                              std::string_view where) const {
  std::int32_t begin = -1;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    const std::string name =
        join(kind, std::string(static_cast<std::size_t>(digits) - number.size(), '0'), number, ">");
    const std::int32_t id = vocabulary_.find(name);
    if (i == 0) begin = id;
    if (id != (begin < 0 ? -1 : begin + i)) {
      refuse_tokenizer(where, "expected ", count, " pieces ", kind, "...> in a row or none, got ", name, " as ", id);
    }
  }
  return begin < 0 ? std::nullopt : std::optional(begin);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view utf8, Specials specials) const {
  if (utf8.size() >= kMaxTextBytes) {
    fail(ErrorKind::usage, "prompt_too_long", "cannot tokenize: expected less than ", kMaxTextBytes, " bytes, got ",
         utf8.size());
  }
  const std::string normalized = normalize(utf8);
  const std::string_view text = normalized;
  std::vector<std::int32_t> ids;
  PairMerger merger(vocabulary_);
  std::size_t begin = 0;  // of the stretch without fixed pieces that ends at `at`
  for (std::size_t at = 0; at < text.size();) {
    std::int32_t fixed = vocabulary_.match(text.substr(at), specials == Specials::tokens);
    std::size_t length = fixed < 0 ? utf8_length(text, at) : vocabulary_[fixed].text.size();
    if (fixed < 0 && specials == Specials::tokens && image_ && text.substr(at).starts_with(kImageToken)) {
      fixed = *image_;
      length = kImageToken.size();
    }
    if (fixed >= 0) {
      merger.encode(text.substr(begin, at - begin), ids);
      ids.push_back(fixed);
      begin = at + length;
    }
    at += length;
  }
  merger.encode(text.substr(begin), ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool keep_specials) const {
  TextStream stream(*this, keep_specials);
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  return text += stream.finish();
}

std::string_view Tokenizer::piece(std::int32_t id) const {
  if (id == image_) return kImageToken;
  return id >= 0 && id < vocabulary_.size() ? std::string_view(vocabulary_[id].text) : std::string_view();
}

int Tokenizer::size() const { return std::max(vocabulary_.size(), image_.value_or(-1) + 1); }

int Tokenizer::real_size() const { return std::min(vocabulary_.size(), image_ == size() - 1 ? *image_ : size()); }

std::string TextStream::push(std::int32_t id) {
  std::string_view rest = tokenizer_.piece(id);
  const bool hidden = id == tokenizer_.image_ || (!rest.empty() && tokenizer_.vocabulary_[id].hidden);
  if (rest.empty() || (hidden && !keep_specials_)) return {};
  if (const int byte = byte_of_name(rest); byte >= 0) {
    bytes_ += static_cast<char>(byte);
    return {};
  }
  std::string text = finish();
  for (std::size_t space; (space = rest.find(kSpaceMark)) != rest.npos;) {
    text.append(rest.substr(0, space)).append(" ");
    rest.remove_prefix(space + kSpaceMark.size());
  }
  return text.append(rest);
}

std::string TextStream::finish() {
  std::string text;
  text.swap(bytes_);
  if (is_utf8(text)) return text;
  std::string replaced;
  for (std::size_t i = 0; i < text.size(); ++i) replaced += kReplacementCharacter;
  return replaced;
}

}  // namespace paligemma
