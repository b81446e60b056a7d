// COCOeval of pycocotools 2.0.11 (golden/metrics, see coco_expected.json there): boxes and masks, crowds, equal scores,
// more than 100 detections, a class without objects, polygons and both forms of run lengths.
#include "eval/average_precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

RunLengths runs_of(const Json& segmentation, int width, int height) {
  if (segmentation.is_array())
    return fill_polygons(segmentation.get<std::vector<std::vector<double>>>(), width, height);
  RunLengths runs{.width = width, .height = height};
  const Json& counts = segmentation["counts"];
  if (counts.is_string()) {
    runs.counts = read_run_lengths(counts.get<std::string>()).value();
  } else {
    runs.counts = counts.get<std::vector<std::uint32_t>>();
  }
  EXPECT_TRUE(fits(runs));
  return runs;
}

// The rectangle around the pixels.
std::array<double, 4> hull_of(const RunLengths& runs) {
  std::array<double, 4> box{1e9, 1e9, 0, 0};
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < runs.counts.size(); at += runs.counts[i++])
    for (std::uint32_t p = at; i % 2 == 1 && p < at + runs.counts[i]; ++p) {
      const double x = p / runs.height, y = p % runs.height;
      box = {std::min(box[0], x), std::min(box[1], y), std::max(box[2], x + 1), std::max(box[3], y + 1)};
    }
  return box[2] > 0 ? box : std::array<double, 4>{};
}

struct CocoData {
  std::vector<MarkedPicture> pictures;
  std::vector<std::string> labels;
};

MarkedObject object_of(const Json& annotation, int width, int height) {
  MarkedObject object;
  if (annotation.contains("segmentation") && !annotation["segmentation"].empty())
    object.mask = runs_of(annotation["segmentation"], width, height);
  if (annotation.contains("bbox")) {
    const std::array<double, 4> box = annotation["bbox"];
    object.box = {box[0], box[1], box[0] + box[2], box[1] + box[3]};
  } else {
    object.box = hull_of(*object.mask);
    object.area = static_cast<double>(pixels_inside(*object.mask));
  }
  if (annotation.contains("area")) object.area = annotation["area"];
  object.crowd = annotation.value("iscrowd", 0) == 1;
  if (annotation.contains("score")) object.score = annotation["score"];
  return object;
}

CocoData coco_data(const std::string& name) {
  const Json truth = golden_json("metrics/coco_" + name + "_gt.json");
  const Json found = golden_json("metrics/coco_" + name + "_predictions.json");
  CocoData data;
  std::map<int, std::string> label;
  for (const Json& category : truth["categories"]) label[category["id"]] = category["name"];
  for (const auto& [id, text] : label) data.labels.push_back(text);
  std::map<int, const Json*> images;
  for (const Json& image : truth["images"]) images[image["id"]] = &image;
  std::map<int, MarkedPicture> pictures;
  for (const auto& [id, image] : images) pictures[id];
  const auto add = [&](const Json& annotation, std::vector<MarkedObject> MarkedPicture::* list) {
    const Json& image = *images.at(annotation["image_id"]);
    MarkedObject object = object_of(annotation, image["width"], image["height"]);
    object.label = label.at(annotation["category_id"]);
    (pictures[image["id"]].*list).push_back(std::move(object));
  };
  for (const Json& annotation : truth["annotations"]) add(annotation, &MarkedPicture::truth);
  for (const Json& annotation : found) add(annotation, &MarkedPicture::found);
  for (auto& [id, picture] : pictures) data.pictures.push_back(std::move(picture));
  return data;
}

void expect_scores(const DetectionScores& scores, const Json& expected) {
  const std::map<std::string, double> actual = {{"AP", scores.ap},
                                                {"AP50", scores.ap50},
                                                {"AP75", scores.ap75},
                                                {"AP_small", scores.ap_small},
                                                {"AP_medium", scores.ap_medium},
                                                {"AP_large", scores.ap_large},
                                                {"AR_1", scores.ar1},
                                                {"AR_10", scores.ar10},
                                                {"AR_100", scores.ar100},
                                                {"AR_small", scores.ar_small},
                                                {"AR_medium", scores.ar_medium},
                                                {"AR_large", scores.ar_large}};
  ASSERT_EQ(expected["stats"].size(), actual.size());
  for (const auto& [name, value] : expected["stats"].items())
    EXPECT_NEAR(actual.at(name), value, kMetricTolerance) << name;
  EXPECT_THAT(scores.ap_of_iou,
              Pointwise(DoubleNear(kMetricTolerance), expected["AP_per_iou"].get<std::vector<double>>()));
  ASSERT_EQ(scores.classes.size(), expected["AP_per_class"].size());
  for (const ClassPrecision& one : scores.classes)
    EXPECT_NEAR(one.ap, expected["AP_per_class"][one.label].get<double>(), kMetricTolerance) << one.label;
  EXPECT_THAT(
      scores.classes[0].precision[0],
      Pointwise(DoubleNear(kMetricTolerance), expected["precision_at_iou50_class1"].get<std::vector<double>>()));
}

TEST(AveragePrecision, AsPycocotools) {
  const Json expected = golden_json("metrics/coco_expected.json");
  int compared = 0;
  for (const auto& [name, results] : expected.items()) {
    SCOPED_TRACE(name);
    CocoData data = coco_data(name);
    const bool masks = results["kind"] == "segm";
    expect_scores(average_precision(data.pictures, masks, data.labels), results["result"]);
    if (results.contains("bbox_result"))
      expect_scores(average_precision(data.pictures, false, data.labels), results["bbox_result"]);
    for (MarkedPicture& picture : data.pictures)
      for (MarkedObject& object : picture.found) object.score.reset();
    expect_scores(average_precision(data.pictures, masks, data.labels), results["result_all_scores_one"]);
    ++compared;
  }
  EXPECT_EQ(compared, 3);
}

TEST(AveragePrecision, OfNothing) {
  const DetectionScores none = average_precision({}, false);
  EXPECT_EQ(none.ap, kNoTruth);
  EXPECT_TRUE(none.classes.empty());
  const std::vector<MarkedPicture> empty_answer = {{.truth = {{.label = "cow", .box = {0, 0, 9, 9}}}}};
  EXPECT_EQ(average_precision(empty_answer, false).ap, 0);
  EXPECT_EQ(average_precision(empty_answer, false).ap_large, kNoTruth);
  const std::vector<MarkedPicture> invented = {{.found = {{.label = "cow", .box = {0, 0, 9, 9}}}}};
  EXPECT_EQ(average_precision(invented, false).ap, kNoTruth);
}

TEST(AveragePrecision, MasksThatAreNotThereOverlapNothing) {
  const std::vector<MarkedPicture> pictures = {
      {.truth = {{.label = "cow", .box = {0, 0, 9, 9}}}, .found = {{.label = "cow", .box = {0, 0, 9, 9}}}}};
  EXPECT_DOUBLE_EQ(average_precision(pictures, false).ap, 1);
  EXPECT_EQ(average_precision(pictures, true).ap, 0);
}

}  // namespace
}  // namespace paligemma::test
