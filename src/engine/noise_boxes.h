// Answering with a model that learnt "not an object" as the name of boxes at random places (PaliGemma 2, appendix C):
// it is made to write a number of boxes with the name that is most probable beside that one, whose probability then is
// the model's confidence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace paligemma {

struct NoiseBoxes {
  int count = 0;                            // boxes that an answer is to hold; 0: it is like any other
  std::int32_t label = 0;                   // what stands for "not an object", never written
  std::int32_t loc_begin = 0, loc_end = 0;  // of the loc tokens
  std::vector<std::int32_t> names{};        // what names of objects begin with, where they are known
};

// Leaves out of `allowed` what may not follow `answer`: the label, and eos until the last of the boxes is named; four
// loc tokens are followed by a name, where names are known. The last token there is room for, which `room` of 1 is, may
// be eos all the same. A box is a run of loc tokens with another token behind it.
void narrow(Allowed& allowed, const NoiseBoxes& noise, std::span<const std::int32_t> answer, std::int64_t room,
            std::int32_t eos);

}  // namespace paligemma
