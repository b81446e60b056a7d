// stage 7/8, first half: text -> objects. What the model wrote is read leniently: what is good is kept, the rest becomes
// warnings.
//
//   answer := object (" ;" object)*      object := LOC{4} [SEG{16}] label
//   LOC    := "<loc" dddd ">", 0..1023   SEG    := "<seg" ddd ">", 0..127
//
// A run of loc tokens must be exactly 4 (else loc_count); of seg tokens 16: more keep the first 16, fewer drop the codes
// but keep the box (seg_count). A run of seg tokens without a box is dropped (seg_without_box), a box without an area too
// (empty_box). A label ends at " ;", at the next token or at the end; ASCII white space around it and ";" at its end are
// not part of it. Other text beside tokens is stray_text; empty items are silent. A text without any token holds no
// objects and gives no warnings.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// How loc values become pixels: value * side / divisor.
struct Frame {
  int width = 0, height = 0;  // of the picture
  int divisor = 1023;
};

struct Parsed {
  std::vector<Object> objects;
  std::vector<std::size_t> offsets;  // of each object's first loc token in the text, in bytes
  std::vector<Warning> warnings;
};

// `labels` are those that were asked for: an object's label_index is the first that equals its label but for ASCII case.
Parsed parse_objects(std::string_view text, const Frame& frame, std::span<const std::string> labels);

// Gives each object the geometric mean of the probabilities of its four loc tokens. The tokens' texts, joined, are the
// text that was parsed.
void score_objects(Parsed& parsed, std::span<const Token> tokens);

}  // namespace paligemma
