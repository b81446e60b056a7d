// Examples as the token ids that the model sees and is to write.
#pragma once

#include <string>
#include <string_view>

#include "data/target.h"
#include "text/tokenizer.h"
#include "train/objective.h"

namespace paligemma {

// What the losses of tokens are multiplied by.
struct TokenWeights {
  double text = 1, loc = 1, first_loc = 1, seg = 1;  // first_loc: of the four of a box
};
// "loc=1,loc0=1.3,seg=1,text=1.7"; loc sets loc0 too where that is not named. Throws Error{usage, "token_weights"}.
TokenWeights parse_token_weights(std::string_view list);

// Loc tokens that share what they count with those of places nearby: in normal distribution with the deviation `sigma`,
// over the borders of the model's pixels, `side` in a row. A smaller data set teaches more so. Throws Error{usage,
// "soft_loc"} for a tokenizer without loc tokens.
SoftTargets soft_locs(const Tokenizer& tokenizer, int divisor, int side, double sigma);

struct TokenizeOptions {
  int image_tokens = 0;
  TokenWeights weights{};
  std::int64_t answer_tokens = 512;  // longer ones are cut
};

struct TokenizedExample {
  TokenExample example;
  bool cut = false;  // the answer was longer, and its end is not learnt
};

// The prompt as answering lays it out; the answer, then eos. Loc and seg tokens that the target spells are tokens.
TokenizedExample tokenize(const Tokenizer& tokenizer, const Target& target, const TokenizeOptions& options);

}  // namespace paligemma
