// Reading what the model wrote.
//
// stage 7/8: text -> objects with boxes, labels and mask codes, and warnings
//
//     object := <locNNNN>{4} [ <segNNN>{16} ] label        y1 x1 y2 x2; objects are separated by " ; "
//
// A malformed part never fails: what is good is kept, the rest becomes a warning. Its text is the tokens as written and
// the label behind them. The codes:
//
//     loc_count        a run of loc tokens that is not four: the group is dropped, seg tokens and label with it
//     seg_count        a run of seg tokens behind a box that is not sixteen: more keep 16, fewer drop the mask
//     seg_without_box  seg tokens that do not follow a loc token at once: dropped
//     empty_box        y2 <= y1 or x2 <= x1: dropped
//     stray_text       text that is not a label, without the separators
//
// A number above 1023 or 127, or one of other digits than ASCII's, is text and not a token. A label ends at " ;", at
// the next token or at the end of the text, and loses ASCII white space at both ends and semicolons at its end. A text
// without any token has neither objects nor warnings.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detect/loc.h"

namespace paligemma {

// Where an object stands in the text, in bytes.
struct ObjectPlace {
  std::size_t begin = 0;  // of its first loc token
  std::size_t label = 0;  // behind its last loc or seg token
  std::size_t end = 0;    // of its label
};

struct Parsed {
  std::vector<Object> objects;
  std::vector<Warning> warnings;
  std::vector<ObjectPlace> places;  // of each object, ascending
};

// `labels` are those that were asked for: an object's label_index is the first that equals its label byte for byte,
// both stripped like one. Boxes are clipped to the picture. Takes time and memory linear in the text.
Parsed parse_objects(std::string_view text, const Frame& frame, std::span<const std::string> labels);

// Sets the objects' scores, by loc_geomean or label_prob. The tokens' texts, one after the other, are the text that was
// parsed. An object whose loc tokens are not single tokens there (its text was spelled out) keeps no score, and by its
// label one without a label.
void score_objects(Parsed& parsed, std::span<const Token> tokens, ScoreKind kind);

}  // namespace paligemma
