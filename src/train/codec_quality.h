// How good a mask codec is, by masks that it was not trained on.
#pragma once

#include "train/codec_trainer.h"
#include "train/mask_set.h"

namespace paligemma {

struct CodecQuality {
  double iou = 0, least_iou = 0;  // of a map and what its codes give back, both cut at half: mean and least
  double stable = 0;              // share of codes that stay when a mask is turned by 2 degrees or its box moves by 2 %
  std::int64_t used = 0;          // codes that occur
};

// Of the masks that are held out, of which there must be some.
CodecQuality measure_codec(CodecTrainer& codec, const MaskSet& masks);

// Of what is covered by half or more, and what is positive.
double map_iou(std::span<const float> coverage, std::span<const float> map);

}  // namespace paligemma
