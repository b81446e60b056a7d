// What the model is asked about a sample, and what it is to write.
//
//   caption   "caption en"                  one of the captions
//   answer    "answer en {question}"        one of the answers
//   detect    "detect a ; b ; c"            "<loc0001>x4 a ; <loc0002>x4 b"       order y1 x1 y2 x2
//   segment   "segment a ; b ; c"           "<loc0001>x4<seg001>x16 a ; ..."
//   refer     "{expression}"                "<loc0001>x4<seg001>x16"
//   text      the prefix and the suffix as they stand
//
// loc = round(pixel / side * 1023), halves to even. Of a sample with objects a prefix that the data gave stays.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/decoded.h"
#include "data/dice.h"

namespace paligemma {

// The mask in its picture, and the object's box: x1 y1 x2 y2 in pixels.
using MaskEncoder = std::function<std::array<int, 16>(const Mask& mask, const std::array<double, 4>& box)>;

struct TargetOptions {
  std::string language = "en";
  // detect, segment: what stands behind the word. `every`: "all classes", as the paper's detectors.
  enum class Asked { classes, every } asked = Asked::classes;
  // refer: the expression alone, as the published checkpoints; or "segment {expression}" and the expression as label.
  enum class Referring { bare, segment } referring = Referring::bare;
  bool shuffle = true;  // the order of objects; else as in the data
  // Detection with confidences (PaliGemma 2, appendix C): boxes at random places, called `noise`, fill the list up to
  // so many objects where the prompt begins with "detect". Nothing is learnt from their places, but from the name,
  // whose probability then says "not an object". It is one token, at once behind the box, so that it stands against
  // the whole first token of a label.
  int fill_to = 0;
  std::string noise = "<unused0>";
  int divisor = 1023;
  MaskEncoder encode{};  // for masks that are pixels
};

// A part of a suffix, and what its tokens' losses are multiplied by. Parts begin and end at loc tokens or the name of
// noise, where a tokenizer cuts anyway: the ids of all parts are those of the whole.
struct TargetPiece {
  std::string text{};
  double weight = 1;
};

struct Target {
  std::string prefix{};  // without the newline at its end
  std::vector<TargetPiece> suffix{};
  std::string text() const;
};

// `dice` is thrown for the order of objects and for noise. Which answer: the samples' own order of them, drawn by
// `answer_seed`, goes round with `epoch`, so that each comes before one comes again. Throws Error{usage, "mask"} for a
// mask without an encoder.
Target make_target(const DecodedSample& sample, std::span<const std::string> classes, const TargetOptions& options,
                   Dice& dice, std::uint64_t answer_seed, std::uint64_t epoch);

// "<loc0001><loc0002><loc0003><loc0004><seg000>... label"; without codes, without a label where there are none.
std::string object_text(const std::array<int, 4>& loc, const std::optional<std::array<int, 16>>& seg,
                        std::string_view label);
// "object ; object".
std::string join_objects(std::span<const std::string> objects);

// Makes of each sample of detect and segment one for each class that its objects have, called "id/class" with the
// prefix "detect class". One without objects stays as it is.
std::vector<Sample> split_by_class(std::vector<Sample> samples);

}  // namespace paligemma
