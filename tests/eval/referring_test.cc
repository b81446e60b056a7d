// big_vision's segmentation evaluator on made answers, with the pixels that its mask decoder gave (golden/metrics).
#include "eval/referring.h"

#include <gtest/gtest.h>

#include "detect/mask.h"
#include "detect/mask_codec.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

// The bool picture that is packed eight to a byte, first pixel in the highest bit.
Mask unpacked(std::span<const std::byte> packed, int width, int height) {
  Mask mask{.width = width, .height = height};
  for (int i = 0; i < width * height; ++i)
    mask.inside.push_back((static_cast<unsigned>(packed[i / 8]) >> (7 - i % 8)) & 1u);
  return mask;
}

MarkedPicture example(const Json& line, const Safetensors& tensors, std::span<const float> maps) {
  const int id = line["id"], width = line["width"], height = line["height"];
  const std::array<double, 4> truth = line["gt_bbox_yxyx"];
  const Mask mask = unpacked(tensors.others.at("gt/" + std::to_string(id)).bytes, width, height);
  MarkedPicture picture{.truth = {{.box = {truth[1] * width, truth[0] * height, truth[3] * width, truth[2] * height},
                                   .mask = run_lengths(mask, width, height)}}};
  const Frame frame{.width = width, .height = height};
  for (const Object& object : parse_objects(line["prediction"].get<std::string>(), frame, {}).objects) {
    MarkedObject& found = picture.found.emplace_back(MarkedObject{.box = object.box});
    if (!object.seg) continue;
    const auto map = maps.subspan(std::size_t(id) * 64 * 64, std::size_t{64} * 64);
    const Mask pasted = paste_mask(map, object, frame, MaskProfile::evaluator);
    if (pasted.width > 0 && pasted.height > 0) found.mask = run_lengths(pasted, width, height);
  }
  return picture;
}

TEST(Referring, AsBigVision) {
  const Safetensors tensors = golden_tensors("metrics/referring.safetensors");
  const std::vector<float> maps = values(tensors.tensors.at("maps"));
  const std::vector<Json> lines = golden_lines("metrics/referring.jsonl");
  double iou = 0, both = 0, either = 0, box50 = 0, box75 = 0, invalid = 0;
  std::array<double, 5> precise{};
  for (const Json& line : lines) {
    const ReferringMatch match = match_reference(example(line, tensors, maps));
    EXPECT_NEAR(match.iou, line["iou"].get<double>(), kMetricTolerance) << line;
    iou += match.iou, both += match.both, either += match.either;
    box50 += match.box_iou >= .5, box75 += match.box_iou >= .75, invalid += !match.valid;
    for (std::size_t i = 0; i < precise.size(); ++i) precise[i] += match.iou >= .5 + .1 * static_cast<double>(i);
  }
  const Json expected = golden_json("metrics/referring_expected.json"), &reference = expected["big_vision"];
  const auto count = static_cast<double>(lines.size());
  EXPECT_EQ(count, reference["total"].get<double>());
  EXPECT_NEAR(iou / count, reference["miou"].get<double>(), kMetricTolerance);
  EXPECT_NEAR(box50 / count, reference["boxacc/0.5"].get<double>(), kMetricTolerance);
  EXPECT_NEAR(box75 / count, reference["boxacc/0.75"].get<double>(), kMetricTolerance);
  EXPECT_EQ(invalid, reference["invalid"].get<double>());
  EXPECT_NEAR(both / either, expected["ciou"].get<double>(), kMetricTolerance);
  const char* names[] = {"0.5", "0.6", "0.7", "0.8", "0.9"};
  for (std::size_t i = 0; i < precise.size(); ++i)
    EXPECT_NEAR(precise[i] / count, expected[std::string("precision_ge@") + names[i]].get<double>(), kMetricTolerance);
}

TEST(Referring, BoxesWhereThereIsNoMask) {
  const MarkedPicture picture = {.truth = {{.box = {0, 0, 10, 10}}}, .found = {{.box = {0, 0, 10, 5}}}};
  const ReferringMatch match = match_reference(picture);
  EXPECT_TRUE(match.valid);
  EXPECT_DOUBLE_EQ(match.iou, .5);
  EXPECT_DOUBLE_EQ(match.both, 50);
  EXPECT_DOUBLE_EQ(match.either, 100);
}

TEST(Referring, NothingFound) {
  const MarkedPicture picture = {.truth = {{.box = {0, 0, 10, 10}}}};
  EXPECT_FALSE(match_reference(picture).valid);
  EXPECT_EQ(match_reference(picture).either, 100);
  EXPECT_FALSE(match_reference({}).valid);
}

}  // namespace
}  // namespace paligemma::test
