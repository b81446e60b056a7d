// Words that a run cannot teach, as the model has no numbers for them.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "pipeline.h"

namespace paligemma {

// Class names, and answers of the first thousand samples, with a token whose row of the embedding is all zeros: a small
// model's that was never trained on it. While the embedding stays as it is such a token says nothing in a prompt and
// has the logit 0 in an answer.
std::vector<std::string> unlearnable_words(const Pipeline& pipeline, const Dataset& data);

}  // namespace paligemma
