#include "train/tokens.h"

#include <charconv>

#include "base/error.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr int kLocsOfBox = 4;

}  // namespace

TokenWeights parse_token_weights(std::string_view list) {
  TokenWeights weights;
  bool first_named = false;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view name = item.substr(0, equals), number = item.substr(std::min(item.size(), equals + 1));
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    double* const field = name == "text"   ? &weights.text
                          : name == "loc"  ? &weights.loc
                          : name == "loc0" ? &weights.first_loc
                          : name == "seg"  ? &weights.seg
                                           : nullptr;
    if (!field || error != std::errc() || end != number.data() + number.size() || !(value >= 0 && value <= 1e6))
      fail(ErrorKind::usage, "token_weights",
           "bad token weights: expected text, loc, loc0 or seg with a number, as in ",
           "loc=1,loc0=1.3,seg=1,text=1.7, got ", item);
    *field = value;
    first_named = first_named || name == "loc0";
  }
  if (!first_named) weights.first_loc = weights.loc;
  return weights;
}

TokenizedExample tokenize(const Tokenizer& tokenizer, const Target& target, const TokenizeOptions& options) {
  TokenizedExample out;
  TokenExample& example = out.example;
  example.prompt = layout_prompt(tokenizer, target.prefix, 1, options.image_tokens, Specials::tokens).ids;
  int locs = 0;  // of the box under way
  for (const TargetPiece& piece : target.suffix) {
    for (const std::int32_t id : tokenizer.encode(piece.text, Specials::tokens)) {
      double weight = options.weights.text;
      const bool loc = tokenizer.is_loc(id);
      if (loc) weight = locs % kLocsOfBox == 0 ? options.weights.first_loc : options.weights.loc;
      if (tokenizer.is_seg(id)) weight = options.weights.seg;
      locs = loc ? locs + 1 : 0;
      example.answer.push_back(id);
      example.token_weights.push_back(static_cast<float>(weight * piece.weight));
    }
  }
  if (std::ssize(example.answer) > options.answer_tokens) {
    out.cut = true;
    example.answer.resize(static_cast<std::size_t>(options.answer_tokens));
    example.token_weights.resize(example.answer.size());
    return out;
  }
  example.answer.push_back(tokenizer.eos());
  example.token_weights.push_back(static_cast<float>(options.weights.text));
  return out;
}

}  // namespace paligemma
