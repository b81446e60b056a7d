// Questions about a scene as samples of a data set, which trainer and metrics take like any others.
#pragma once

#include "data/sample.h"
#include "scenes/grammar.h"

namespace paligemma::world {

// Objects with boxes and run lengths in the picture's pixels, the label a thing's English name. The picture has a name
// ("scenes 7/12": seed and number) and no path; the id is that and the prompt. data/decoded.h places it in draw()'s
// picture.
Sample sample_of(const Scene& scene, const Question& question);

// What the model is to write: the answer, or loc tokens with labels, in the question's order.
std::string suffix_of(const Scene& scene, const Question& question);

}  // namespace paligemma::world
