// The masks that a codec is trained on, and those that are held out to measure it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "train/mask_shapes.h"

namespace paligemma {

class MaskSet {
 public:
  // Every so many masks one is held out, each time another one by the seed. `fraction` is in 0..1.
  MaskSet(double fraction, std::uint64_t seed) : fraction_(fraction), seed_(seed) {}

  // One after the other, as targets are made of them: what is inside of its object's box, or the smallest box. An empty
  // one is only counted.
  void add(const Mask& mask, const std::array<double, 4>& box);
  void add(const Mask& mask) { add(mask, tight_box(mask)); }

  const std::vector<MaskShape>& shapes() const { return shapes_; }
  const std::vector<MaskShape>& held_out() const { return held_out_; }
  // Coverages (count, 64, 64) of those held out, as crop_mask() makes them.
  std::vector<float> held_out_maps() const;
  std::int64_t empty() const { return empty_; }
  // Of all that was added and in which order, for a run that is resumed.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  bool holds_out(std::int64_t index) const;

  double fraction_;
  std::uint64_t seed_;
  std::int64_t count_ = 0, empty_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::vector<MaskShape> shapes_, held_out_;
  std::vector<std::uint8_t> held_out_maps_;  // coverages in 255ths
};

struct UnreadableMask {
  std::string path{}, reason{};  // its file, or its place in one
};

// Takes the PNG files of a folder by name, one mask each. Inside is what is brighter than 127 in one of its colours; in
// a picture without such pixels, all that is not black. Gives those that are no pictures. Throws Error{input,
// "no_masks"} for a folder without PNG files, Error{input, "file_not_found"} for no folder, and what `take` throws.
std::vector<UnreadableMask> read_mask_folder(const std::filesystem::path& folder,
                                             const std::function<void(const Mask&)>& take);

}  // namespace paligemma
