// A sample with its picture decoded, and everything in pixels of that picture: what augmentation moves.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "data/sample.h"

namespace paligemma {

struct DecodedObject {
  std::string label{};
  std::array<double, 4> box{};               // x1 y1 x2 y2
  std::optional<Mask> mask{};                // of SampleTask::segment and refer, where the data has one
  std::optional<std::array<int, 16>> seg{};  // codes in place of a mask
};

struct DecodedSample {
  Picture picture{};
  SampleTask task = SampleTask::text;
  std::string prefix{};
  std::vector<std::string> answers{};
  std::vector<DecodedObject> objects{};  // without crowds
  bool ordered = false;                  // they are in the order in which they are to be written
  // Of a picture that is drawn: all things in it, asked for or not, and what is written, letter by letter.
  std::optional<std::vector<DecodedObject>> things{};
  std::vector<DecodedObject> letters{};
};

// EXIF orientation is applied unless the data's own size says that its boxes lie in the picture as it is stored. Throws
// Error{input}: "image_decode" and the like, or "image_size" where the data speaks of a picture of another size.
DecodedSample decode_sample(const Sample& sample, const DecodeOptions& options = {});

// The boxes of all objects in pixels of the decoded picture, the masks as pixels. Used by decode_sample(); with a
// picture that is there already.
DecodedSample place_sample(const Sample& sample, Picture picture);

}  // namespace paligemma
