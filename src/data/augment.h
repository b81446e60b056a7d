// Changes of a sample that leave what it says true. Boxes and masks move along with the picture; a box of which less
// than a fifth is still seen is dropped, with its mask.
//
//   crop       half of the time: a window of .1 to 1 of the area, 3/4 to 4/3 as wide as high, that holds an object
//   whole.
//              Of detect and segment alone, as an answer may be about what is cut off.
//   zoom-out   half of the time: the picture somewhere on a gray canvas whose sides are up to 1.5 times as long
//   flip       half of the time: left and right, in the picture and as words. Not of a sample that is about reading,
//   and
//              not where a class would become one that the data does not have.
//   color      brightness and contrast .8 to 1.2, saturation .7 to 1.3
//   blur       a fifth of the time: a Gaussian of .3 to 1.5 pixels
//   jpeg       .3 of the time: written and read again, at quality 40 to 95
//
// The first three are for the decoded picture, the others for the one that the model sees. A sample whose text spells
// loc tokens that are no objects here is not moved, and one with mask codes in place of pixels is only zoomed out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "data/decoded.h"
#include "data/dice.h"

namespace paligemma {

struct AugmentOptions {
  bool crop = false, zoom_out = false, flip = false, color = false, blur = false, jpeg = false;
  bool moves() const { return crop || zoom_out || flip; }
  bool any() const { return moves() || color || blur || jpeg; }
};

// "flip,crop,zoom-out": empty and "none" are nothing. Throws Error{usage, "bad_value"}.
AugmentOptions parse_augment(std::string_view list);

void move_sample(DecodedSample& sample, std::span<const std::string> classes, const AugmentOptions& options,
                 Dice& dice);
void tint_picture(Picture& picture, const AugmentOptions& options, Dice& dice);

// The steps, for tests and for whoever wants one alone.
struct CutWindow {
  int x = 0, y = 0, width = 0, height = 0;  // may reach beyond the picture: gray is there
};
void cut_window(DecodedSample& sample, const CutWindow& window);
void flip_sample(DecodedSample& sample);
// "the Left hand" -> "the Right hand": left and right as whole words, in the words leftmost, left-hand and the like
// too.
std::string flip_words(std::string_view text);

}  // namespace paligemma
