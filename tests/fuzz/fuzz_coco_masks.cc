// seeds: data/forms/coco*.json
//
// The masks of a COCO document whose pictures are not there: each is inside of a picture and can be cropped to its box.
#include "data/coco_masks.h"
#include "data_folder.h"
#include "json_mutator.h"
#include "train/mask_set.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::filesystem::path file = data_folder::folder({}) / "masks.json";
  data_folder::write(file, {reinterpret_cast<const char*>(data), size});
  try {
    std::int64_t taken = 0;
    MaskSet masks(0.5, 1);
    read_coco_masks(file, [&](const Mask& mask, const std::array<double, 4>& box) {
      data_folder::require(mask.x >= 0 && mask.y >= 0);
      data_folder::require(mask.inside.size() == std::size_t(mask.width) * std::size_t(mask.height));
      data_folder::require(box[0] >= 0 && box[1] >= 0 && box[0] < box[2] && box[1] < box[3]);
      ++taken;
      constexpr double kLargest = 1 << 20;  // pixels, which cost time
      if ((box[2] - box[0]) * (box[3] - box[1]) < kLargest) masks.add(mask, box);
    });
    data_folder::require(taken > 0);
    for (const float value : masks.held_out_maps()) data_folder::require(value >= 0 && value <= 1);
    for (const MaskShape& shape : masks.shapes())
      for (const float value : shape.map(random_change(size))) data_folder::require(value >= 0 && value <= 1.001f);
    json_mutator::take(data, size);
  } catch (const Error& error) {
    data_folder::require(error.kind() == ErrorKind::usage && !error.code().empty());
  }
  return 0;
}
