// What the image tokens of a picture are asked one by one while a vision tower learns to see (--dense-head), answered
// in the decoder's own vocabulary: which thing is here, where its box is, and which letters are in the left and the
// right half.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/decoded.h"
#include "model/config.h"
#include "text/tokenizer.h"

namespace paligemma {

enum class DenseQuestion : std::uint8_t { thing, top, left, bottom, right, left_letter, right_letter };
inline constexpr std::size_t kDenseQuestions = 7;

// Rows of image tokens, of all pictures of a batch, and the token that each is to answer.
struct DenseRows {
  std::vector<std::int64_t> rows{};
  std::vector<std::int32_t> targets{};
};
using DenseTargets = std::array<DenseRows, kDenseQuestions>;

// Adds the questions about a picture whose image tokens begin at row `first`. A token belongs to the thing whose box
// covers most of it, if that is more than a third, or has its middle in it; its answer is the first token of the
// thing's name and its box. Where no thing is the answer is `<pad>`. Letters are asked for where some are written.
struct DensePicture {
  int width = 0, height = 0;  // that the boxes are in
  std::span<const DecodedObject> things{}, letters{};
};
void add_dense_targets(DenseTargets& targets, const DensePicture& picture, const VisionConfig& vision,
                       const Tokenizer& tokenizer, int divisor, std::int64_t first);

}  // namespace paligemma
