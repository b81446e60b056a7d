#include "data/coco_masks.h"

#include <algorithm>
#include <functional>

#include "data/readers.h"
#include "detect/run_lengths.h"
#include "folder.h"
#include "io/json.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct TakenMask {
  Mask mask;
  std::array<double, 4> box;
};

struct TakenMasks {
  std::vector<TakenMask> masks{};
  CocoMasks rest{};
  std::vector<std::string> codes() const {
    std::vector<std::string> codes;
    for (const Problem& problem : rest.problems) codes.push_back(problem.code);
    return codes;
  }
};

TakenMasks take_all(const std::filesystem::path& file) {
  TakenMasks taken;
  taken.rest = read_coco_masks(
      file, [&](const Mask& mask, const std::array<double, 4>& box) { taken.masks.push_back({mask, box}); });
  return taken;
}

// Two pictures, which are not there: the first of 8 x 4 pixels, the second of a size that is not said.
std::string masks_document(std::string_view annotations) {
  return join(R"({"images":[{"id":1,"file_name":"gone.png","width":8,"height":4},{"id":2,"file_name":"lost.png"},)",
              R"({"id":3,"file_name":"vast.png","width":20000,"height":20000},)",
              R"({"id":4,"file_name":"long.png","width":40000,"height":1}],"categories":[{"id":1,"name":"cow"}],)",
              R"("annotations":[)", annotations, "]}");
}

std::string masked(std::string_view rest, int image = 1) {
  return join(R"({"id":7,"image_id":)", image, R"(,"category_id":1,)", rest, "}");
}

// Pictures of pycocotools 2.0.11's masks: each as polygons, as run lengths in text and as a list of them.
TEST(CocoMasks, AreThePixelsOfPycocotoolsInAnyForm) {
  const Json shapes = golden_json("data/shapes.json");
  Json document = {{"images", Json::array()}, {"categories", {{{"id", 1}, {"name", "cow"}}}}};
  document["annotations"] = Json::array();
  std::vector<std::pair<std::string, std::size_t>> expected;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Json& one = shapes[i];
    if (!one["segmentation"].is_array() || one["area"] == 0) continue;
    document["images"].push_back(
        {{"id", i}, {"file_name", "gone.png"}, {"width", one["width"]}, {"height", one["height"]}});
    const Json size = {one["height"], one["width"]}, box = {0, 0, one["width"], one["height"]};
    const std::string counts = one["counts"];
    const Json segmentations[] = {one["segmentation"],
                                  {{"size", size}, {"counts", counts}},
                                  {{"size", size}, {"counts", read_run_lengths(counts).value()}}};
    for (const Json& segmentation : segmentations) {
      document["annotations"].push_back(
          {{"id", i}, {"image_id", i}, {"category_id", 1}, {"bbox", box}, {"segmentation", segmentation}});
      expected.emplace_back(counts, i);
    }
  }
  const Scratch scratch;
  const TakenMasks taken = take_all(scratch.write("instances.json", dump_json(document)));
  EXPECT_GT(expected.size(), 30);
  ASSERT_EQ(taken.masks.size(), expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Json& one = shapes[expected[k].second];
    EXPECT_EQ(coco_rle(taken.masks[k].mask, one["width"], one["height"]), expected[k].first) << k;
  }
  EXPECT_THAT(taken.rest.problems, IsEmpty());
}

TEST(CocoMasks, HaveTheBoxOfTheirObject) {
  const Scratch scratch;
  const TakenMasks taken = take_all(
      scratch.write("a.json", masks_document(join(masked(R"("bbox":[1,1,3.5,2],"segmentation":[[1,1,4,1,4,3,1,3]])"),
                                                  ",", masked(R"("segmentation":[[1.5,1,4,1,4,3,1.5,3]])"), ",",
                                                  masked(R"("bbox":[5,-1,9,9],"segmentation":[[5,0,9,0,9,4,5,4]])")))));
  ASSERT_EQ(taken.masks.size(), 3);
  EXPECT_THAT(taken.masks[0].box, ElementsAre(1, 1, 4.5, 3));
  EXPECT_THAT(taken.masks[1].box, ElementsAre(1.5, 1, 4, 3));
  EXPECT_THAT(taken.masks[2].box, ElementsAre(5, 0, 8, 4));
  EXPECT_EQ(taken.masks[0].mask.inside, std::vector<std::uint8_t>(6, 1));
  EXPECT_EQ(taken.masks[2].mask.inside, std::vector<std::uint8_t>(12, 1));
}

TEST(CocoMasks, OfPicturesWithoutASize) {
  const Scratch scratch;
  const TakenMasks taken = take_all(scratch.write(
      "a.json", masks_document(join(masked(R"("bbox":[0,0,2,1],"segmentation":{"size":[1,3],"counts":[0,2,1]})", 2),
                                    ",", masked(R"("segmentation":[[1,1,4,1,4,2.5,1,2.5]])", 2), ",",
                                    masked(R"("bbox":[0,0,2,1],"segmentation":{"counts":[0,2,1]})", 2), ",",
                                    masked(R"("bbox":[0,0,2,1],"segmentation":{"counts":[0,2,30]})")))));
  ASSERT_EQ(taken.masks.size(), 3);
  EXPECT_EQ(taken.masks[0].mask.width, 2);
  EXPECT_EQ(taken.masks[1].mask.width, 3);
  EXPECT_EQ(taken.masks[2].mask.height, 2);  // of a picture whose size is said
  EXPECT_THAT(taken.codes(), ElementsAre("bad_shape"));
}

TEST(CocoMasks, SayWhatIsLeftOut) {
  const Scratch scratch;
  const TakenMasks taken = take_all(scratch.write(
      "a.json",
      masks_document(join(masked(R"("bbox":[1,1,3,2],"segmentation":[[1,1,4,1,4,3,1,3]])"), ",",
                          masked(R"("bbox":[1,1,3,2])"), ",", masked(R"("bbox":[1,1,3,2],"segmentation":[])"), ",",
                          masked(R"("bbox":[0,0,2,1],"iscrowd":1,"segmentation":{"size":[4,8],"counts":[0,2,30]})"),
                          ",", masked(R"("bbox":[1,1,3,2],"segmentation":[[1,1,4,1,4,3,1,3]])", 5), ",",
                          masked(R"("bbox":[1,1,3,2],"segmentation":[[1,1,4,1,4,3,1,3]])", 3), ",",
                          masked(R"("bbox":[1,0,3,1],"segmentation":[[1,0,4,0,4,1,1,1]])", 4), ",",
                          masked(R"("bbox":[0,0,2,1],"segmentation":{"size":[8,4],"counts":[0,2,30]})"), ",",
                          masked(R"("bbox":[9,0,2,1],"segmentation":[[1,1,4,1,4,3,1,3]])"), ",",
                          masked(R"("bbox":[1,1,0,1],"segmentation":[[1,1,4,1,4,3,1,3]])"), ",",
                          masked(R"("bbox":[1,1,3,2],"segmentation":[[1,1,4,1]])")))));
  EXPECT_EQ(taken.masks.size(), 1);
  EXPECT_EQ(taken.rest.without_mask, 3);
  EXPECT_EQ(taken.rest.crowds, 1);
  // Of the shape that is none as it is read, and then in order.
  EXPECT_THAT(taken.codes(),
              ElementsAre("bad_shape", "bad_row", "bad_shape", "bad_shape", "bad_shape", "box_outside", "box_empty"));
  EXPECT_THAT(taken.rest.problems[2].text, HasSubstr("got 20000 x 20000"));
  EXPECT_EQ(taken.rest.problems[1].where, "a.json: annotation 7");
}

TEST(CocoMasks, SayWhatIsNoDocumentOfMasks) {
  const Scratch scratch;
  const auto expect = [&](std::string_view text, const char* code, std::string_view part) {
    const std::string path = scratch.write("a.json", text);
    expect_error(ErrorKind::usage, code, part, [&] { take_all(path); });
  };
  expect(masks_document(join(masked(R"("bbox":[1,1,3,2])"), ",", masked(R"("bbox":[1,1,3,2],"iscrowd":1)"))),
         "data_no_masks", "expected annotations with polygons or run lengths, got none, 1 boxes alone, 1 crowds");
  expect(masks_document(masked(R"("bbox":[1,1,3,2],"segmentation":[[1,1]])")), "data_no_masks",
         "1 boxes alone, 0 crowds and 1 problems, the first: a.json: bad_shape: expected polygons");
  expect(masks_document(""), "data_no_masks", "got none, 0 boxes alone");
  expect("{}", "data_unknown", "expected a COCO document with segmentations, got something else");
  expect("", "data_unknown", "got something else");
  expect(R"({"image":"a.png","suffix":"x"})", "data_unknown", "got rows in JSON");
  std::string cut = masks_document(masked(R"("bbox":[1,1,3,2])"));
  cut.pop_back();
  expect(cut, "json", "a.json: parse error");
  expect_error(ErrorKind::usage, "data_not_found", "expected a file", [&] { take_all(scratch.path("none.json")); });
  expect_error(ErrorKind::usage, "data_not_found", "expected a file", [&] { take_all(scratch.folder()); });
}

}  // namespace
}  // namespace paligemma::test
