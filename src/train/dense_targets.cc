#include "train/dense_targets.h"

#include <algorithm>

#include "detect/loc.h"

namespace paligemma {
namespace {

// x1 y1 x2 y2, in patches.
using PatchArea = std::array<double, 4>;

PatchArea in_patches(const std::array<double, 4>& box, const DensePicture& picture, std::int64_t grid) {
  const double across = static_cast<double>(grid) / picture.width, down = static_cast<double>(grid) / picture.height;
  return {box[0] * across, box[1] * down, box[2] * across, box[3] * down};
}

// What they have in common, as a share of `of`.
double overlap(const PatchArea& of, const PatchArea& other) {
  const double width = std::min(of[2], other[2]) - std::max(of[0], other[0]);
  const double height = std::min(of[3], other[3]) - std::max(of[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  return width * height / ((of[2] - of[0]) * (of[3] - of[1]));
}

bool has_middle(const PatchArea& patch, const PatchArea& box) {
  const double x = (box[0] + box[2]) / 2, y = (box[1] + box[3]) / 2;
  return x >= patch[0] && x < patch[2] && y >= patch[1] && y < patch[3];
}

// The place of the area that covers most of `patch`; -1: none covers more than `least`.
int most_covering(const PatchArea& patch, std::span<const PatchArea> areas, double least, bool middle_counts) {
  int best = -1;
  double most = least;
  for (std::size_t i = 0; i < areas.size(); ++i) {
    const double covered = overlap(patch, areas[i]) + (middle_counts && has_middle(patch, areas[i]) ? 1 : 0);
    if (covered > most) most = covered, best = static_cast<int>(i);
  }
  return best;
}

std::int32_t first_token(const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text, Specials::text);
  return ids.empty() ? tokenizer.pad() : ids.front();
}

}  // namespace

void add_dense_targets(DenseTargets& targets, const DensePicture& picture, const VisionConfig& vision,
                       const Tokenizer& tokenizer, int divisor, std::int64_t first) {
  constexpr double kCoversPatch = 0.35, kFillsHalf = 0.2;
  const Frame frame{.width = picture.width, .height = picture.height, .divisor = divisor};
  std::vector<PatchArea> things, letters;
  std::vector<std::int32_t> thing_names, letter_names;
  for (const DecodedObject& thing : picture.things) {
    things.push_back(in_patches(thing.box, picture, vision.grid));
    thing_names.push_back(first_token(tokenizer, " " + thing.label));
  }
  for (const DecodedObject& letter : picture.letters) {
    letters.push_back(in_patches(letter.box, picture, vision.grid));
    letter_names.push_back(first_token(tokenizer, letter.label));
  }
  const auto ask = [&](DenseQuestion question, std::int64_t row, std::int32_t answer) {
    DenseRows& of = targets[static_cast<std::size_t>(question)];
    of.rows.push_back(first + row), of.targets.push_back(answer);
  };
  for (std::int64_t token = 0; token < vision.tokens(); ++token) {
    const auto x = static_cast<double>(token % vision.grid), y = static_cast<double>(token / vision.grid);
    const PatchArea patch{x, y, x + 1, y + 1};
    const int thing = most_covering(patch, things, kCoversPatch, true);
    if (thing < 0) {
      ask(DenseQuestion::thing, token, tokenizer.pad());
    } else {
      ask(DenseQuestion::thing, token, thing_names[static_cast<std::size_t>(thing)]);
      const std::array<int, 4> loc = loc_of(picture.things[static_cast<std::size_t>(thing)].box, frame);
      for (std::size_t i = 0; i < 4; ++i)
        ask(static_cast<DenseQuestion>(static_cast<std::size_t>(DenseQuestion::top) + i), token,
            *tokenizer.loc_begin() + loc[i]);
    }
    if (std::ranges::none_of(letters, [&](const PatchArea& letter) { return overlap(patch, letter) > 0; })) continue;
    for (const int half : {0, 1}) {
      const PatchArea part{x + 0.5 * half, y, x + 0.5 * half + 0.5, y + 1};
      const int letter = most_covering(part, letters, kFillsHalf, false);
      ask(half == 0 ? DenseQuestion::left_letter : DenseQuestion::right_letter, token,
          letter < 0 ? tokenizer.pad() : letter_names[static_cast<std::size_t>(letter)]);
    }
  }
}

}  // namespace paligemma
