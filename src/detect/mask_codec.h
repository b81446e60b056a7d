// Masks as the model writes them, four by four codes: a map of 64 by 64 numbers, positive inside the object, through
// the segmentation codec (detect/codec_network.h) in both directions.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "detect/codec_network.h"

namespace paligemma {

// Computes on the back end that it was read for, which must outlive it: one call at a time.
class MaskCodec {
 public:
  static constexpr int kSide = 64;      // of a map
  static constexpr int kCodesSide = 4;  // of its codes

  // Throws Error{model, "codec"}.
  static MaskCodec read(FileBytes file, std::string_view where, Backend& backend);

  // Codes, row by row, in [0, codes()) -> map (kSide, kSide). Throws Error{usage, "codec"} for a code outside.
  std::vector<float> decode(std::span<const int, 16> codes) const;

  // The pixels of a mask inside `box`, x1 y1 x2 y2 in pixels of the picture -> the codes, row by row, as big_vision
  // makes the model's targets (crop_mask() in detect/mask.h). Throws Error{model, "codec"} where the file has no
  // encoder, Error{usage, "mask"} for a box or a mask that is none.
  std::array<int, 16> encode(const Mask& mask, const std::array<double, 4>& box) const;

  // The same from coverages, (kSide, kSide) in 0..1.
  std::array<int, 16> encode(std::span<const float> coverage) const;

  // What the encoder makes of coverages, (16, network().width): each row becomes the code nearest to it.
  std::vector<float> features(std::span<const float> coverage) const;

  int codes() const { return network_.codes; }  // rows of the codebook, at least 128
  bool has_encoder() const { return !network_.encoder.empty(); }
  const CodecNetwork& network() const { return network_; }

 private:
  // What the stages make of a map, row by row.
  std::vector<float> run(const std::vector<CodecStage>& stages, std::span<const float> map, int side) const;

  CodecNetwork network_;
  Backend* backend_ = nullptr;
  std::unique_ptr<Arena> arena_;
};

}  // namespace paligemma
