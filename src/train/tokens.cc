#include "train/tokens.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/named_numbers.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr int kLocsOfBox = 4;

}  // namespace

TokenWeights parse_token_weights(std::string_view list) {
  TokenWeights weights;
  bool first_named = false;
  const std::string_view wrong = read_named_numbers(list, [&](std::string_view name, double value) {
    double* const field = name == "text"   ? &weights.text
                          : name == "loc"  ? &weights.loc
                          : name == "loc0" ? &weights.first_loc
                          : name == "seg"  ? &weights.seg
                                           : nullptr;
    if (!field || !(value >= 0 && value <= 1e6)) return false;
    *field = value;
    first_named = first_named || name == "loc0";
    return true;
  });
  if (!wrong.empty())
    fail(ErrorKind::usage, "token_weights", "bad token weights: expected text, loc, loc0 or seg with a number, as in ",
         "loc=1,loc0=1.3,seg=1,text=1.7, got ", wrong);
  if (!first_named) weights.first_loc = weights.loc;
  return weights;
}

SoftTargets soft_locs(const Tokenizer& tokenizer, int divisor, int side, double sigma) {
  constexpr double kReach = 4;  // deviations
  if (!tokenizer.loc_begin())
    fail(ErrorKind::usage, "soft_loc",
         "--soft-loc is about places: expected a tokenizer with loc tokens, got one without");
  const auto bin_of = [&](int border) {
    return std::min(kLocTokens - 1, static_cast<int>(std::lround(static_cast<double>(border) * divisor / side)));
  };
  SoftTargets soft{.begin = *tokenizer.loc_begin()};
  for (int bin = 0; bin < kLocTokens; ++bin) {
    const double place = static_cast<double>(bin) * side / divisor;
    const int low = std::max(0, static_cast<int>(std::ceil(place - kReach * sigma)));
    const int high = std::min(side, static_cast<int>(std::floor(place + kReach * sigma)));
    const int nearest = std::clamp(static_cast<int>(std::lround(place)), 0, side);
    const int from = std::min(low, nearest), to = std::max(high, nearest);
    std::vector<double> shares(static_cast<std::size_t>(bin_of(to) - bin_of(from) + 1));
    double sum = 0;
    for (int border = from; border <= to; ++border) {
      // Beside the nearest one's, which may itself be too small for a number.
      const double share =
          std::exp(-0.5 * (std::pow(border - place, 2) - std::pow(nearest - place, 2)) / (sigma * sigma));
      shares[static_cast<std::size_t>(bin_of(border) - bin_of(from))] += share;
      sum += share;
    }
    SoftTargets::Shares& of = soft.of.emplace_back();
    of.first = soft.begin + bin_of(from);
    for (const double share : shares) of.shares.push_back(static_cast<float>(share / sum));
  }
  return soft;
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
