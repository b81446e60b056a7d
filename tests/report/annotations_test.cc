#include "report/annotations.h"

#include <gmock/gmock.h>

#include <cmath>

#include "io/json.h"

namespace paligemma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// 8 x 4 pixels. A cow with a mask of two pixels, something of an odd name without a mask, and something without a name.
Result found(Task task) {
  Result result{.task = task, .path = "photos/b & w, \"1\".png", .width = 8, .height = 4};
  result.objects.push_back({.label = "cow", .label_index = 1, .box = {1, 0.5, 3.25, 2}, .score = 0.1});
  result.objects.push_back({.label = "a <\"b\">, & \x01\xff", .box = {0, 0, 8, 4}});
  result.objects.push_back({.label = "", .box = {4.6, 1, 4.9, 3.5}});
  if (task == Task::segment) result.objects[0].mask = Mask{.x = 1, .y = 1, .width = 2, .height = 1, .inside = {1, 1}};
  return result;
}

const std::vector<std::string> kLabels = {"dog", "cow", "dog"};
constexpr const char* kOdd = "a <\"b\">, & \\x01\\xff";  // that name as printable() writes it

TEST(Categories, AreTheAskedLabelsAndThenTheInventedOnes) {
  Categories categories(kLabels);
  EXPECT_THAT(categories.names(), ElementsAre("dog", "cow"));
  EXPECT_EQ(categories.place({.label = "cow"}), 1u);
  EXPECT_EQ(categories.place({.label = "Cow"}), 2u);
  EXPECT_EQ(categories.place({.label = ""}), 3u);
  EXPECT_EQ(categories.place({.label = "object"}), 3u);
  EXPECT_EQ(categories.place({.label = "Cow"}), 2u);
  EXPECT_THAT(categories.names(), ElementsAre("dog", "cow", "Cow", "object"));
}

TEST(Coco, HoldsAllPictures) {
  Categories categories(kLabels);
  CocoDocument document;
  document.add(1, "x/a.png", found(Task::segment), categories);
  document.add(3, "empty.png", {.task = Task::segment, .width = 5, .height = 6}, categories);
  document.add(4, "b.png", found(Task::detect), categories);
  const Json json = parse_json(document.text(categories), "coco", ErrorKind::failure);

  EXPECT_EQ(json["images"], parse_json(R"([{"id":1,"file_name":"x/a.png","width":8,"height":4},
                                           {"id":3,"file_name":"empty.png","width":5,"height":6},
                                           {"id":4,"file_name":"b.png","width":8,"height":4}])",
                                       "expected", ErrorKind::failure));
  ASSERT_EQ(json["annotations"].size(), 6u);
  // Down the columns of 8 x 4: 5 out, 1 in, 3 out, 1 in, 22 out. pycocotools: 5 1 3 1-1 22-3, each plus '0'; 19 takes
  // two characters, 19 & 31 | 32 and then 0.
  EXPECT_EQ(json["annotations"][0],
            parse_json(R"({"id":1,"image_id":1,"category_id":2,"bbox":[1.0,0.5,2.25,1.5],"area":2,
                           "segmentation":{"size":[4,8],"counts":"5130c0"},"iscrowd":0,"score":0.1})",
                       "expected", ErrorKind::failure));
  EXPECT_EQ(json["annotations"][1]["area"], 32.0);
  EXPECT_EQ(json["annotations"][1]["segmentation"], Json::array());
  EXPECT_FALSE(json["annotations"][1].contains("score"));
  EXPECT_EQ(json["annotations"][3]["id"], 4);
  EXPECT_EQ(json["annotations"][3]["image_id"], 4);
  EXPECT_EQ(json["annotations"][3]["segmentation"], Json::array());
  EXPECT_EQ(json["annotations"][5]["category_id"], 4);
  EXPECT_EQ(json["categories"], Json::array({{{"id", 1}, {"name", "dog"}},
                                             {{"id", 2}, {"name", "cow"}},
                                             {{"id", 3}, {"name", "a <\"b\">, & \x01\uFFFD"}},
                                             {{"id", 4}, {"name", "object"}}}));
}

TEST(Coco, IsWholeWithoutPictures) {
  EXPECT_EQ(parse_json(CocoDocument().text(Categories(kLabels)), "coco", ErrorKind::failure),
            Json({{"images", Json::array()},
                  {"annotations", Json::array()},
                  {"categories", {{{"id", 1}, {"name", "dog"}}, {{"id", 2}, {"name", "cow"}}}}}));
}

TEST(Yolo, BoxesAreSharesOfThePicture) {
  Categories categories(kLabels);
  // cow: centre 2.125 / 8, 1.25 / 4; size 2.25 / 8, 1.5 / 4
  EXPECT_EQ(yolo_labels(found(Task::detect), categories),
            "1 0.265625 0.312500 0.281250 0.375000\n"
            "2 0.500000 0.500000 1.000000 1.000000\n"
            "3 0.593750 0.562500 0.037500 0.625000\n");
  EXPECT_EQ(yolo_labels({.task = Task::detect, .width = 8, .height = 4}, categories), "");
}

TEST(Yolo, MasksAreOnePolygonForEachObject) {
  Categories categories(kLabels);
  // The mask's outline is (3,1) (3,2) (1,2) (1,1); what has no mask is its box, clockwise.
  EXPECT_EQ(yolo_labels(found(Task::segment), categories),
            "1 0.375000 0.250000 0.375000 0.500000 0.125000 0.500000 0.125000 0.250000\n"
            "2 0.000000 0.000000 1.000000 0.000000 1.000000 1.000000 0.000000 1.000000\n"
            "3 0.575000 0.250000 0.612500 0.250000 0.612500 0.875000 0.575000 0.875000\n");
}

TEST(Yolo, ClassesAreOneALine) {
  Categories categories(kLabels);
  yolo_labels(found(Task::detect), categories);
  EXPECT_EQ(yolo_classes(categories), "dog\ncow\n" + std::string(kOdd) + "\nobject\n");
  EXPECT_EQ(yolo_data(categories),
            "nc: 4\nnames:\n  0: \"dog\"\n  1: \"cow\"\n  2: \"a <\\\"b\\\">, & \\\\x01\\\\xff\"\n  3: \"object\"\n");
}

TEST(Voc, CountsPixelsFromOne) {
  // Edges rounded, halves upwards: x 1..3 and y 1..2 of the cow are the pixels 2..3 and 2..2; the last box is narrower
  // than a pixel and becomes the one that holds its middle, 4.75: pixel 5.
  EXPECT_EQ(voc_annotation(found(Task::segment)),
            "<annotation>\n"
            "  <folder>photos</folder>\n"
            "  <filename>b &amp; w, &quot;1&quot;.png</filename>\n"
            "  <path>photos/b &amp; w, &quot;1&quot;.png</path>\n"
            "  <source><database>Unknown</database></source>\n"
            "  <size><width>8</width><height>4</height><depth>3</depth></size>\n"
            "  <segmented>0</segmented>\n"
            "  <object>\n"
            "    <name>cow</name>\n"
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>\n"
            "    <bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>2</ymax></bndbox>\n"
            "  </object>\n"
            "  <object>\n"
            "    <name>a &lt;&quot;b&quot;&gt;, &amp; \\x01\\xff</name>\n"
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>\n"
            "    <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>4</ymax></bndbox>\n"
            "  </object>\n"
            "  <object>\n"
            "    <name>object</name>\n"
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>\n"
            "    <bndbox><xmin>5</xmin><ymin>2</ymin><xmax>5</xmax><ymax>4</ymax></bndbox>\n"
            "  </object>\n"
            "</annotation>\n");
  EXPECT_THAT(voc_annotation({.path = "a.png", .width = 1, .height = 1}), Not(HasSubstr("<object>")));
}

TEST(Labelme, HasAShapeForEachObject) {
  const Json json = parse_json(labelme_annotation(found(Task::segment), "../a.png"), "labelme", ErrorKind::failure);
  EXPECT_EQ(json["imagePath"], "../a.png");
  EXPECT_TRUE(json["imageData"].is_null());
  EXPECT_EQ(json["imageWidth"], 8);
  EXPECT_EQ(json["imageHeight"], 4);
  ASSERT_EQ(json["shapes"].size(), 3u);
  EXPECT_EQ(json["shapes"][0], parse_json(R"({"label":"cow","points":[[3.0,1.0],[3.0,2.0],[1.0,2.0],[1.0,1.0]],
      "group_id":null,"description":"","shape_type":"polygon","flags":{},"score":0.1})",
                                          "expected", ErrorKind::failure));
  EXPECT_EQ(json["shapes"][1]["shape_type"], "rectangle");
  EXPECT_EQ(json["shapes"][1]["points"], Json({{0.0, 0.0}, {8.0, 4.0}}));
  EXPECT_FALSE(json["shapes"][1].contains("score"));
  EXPECT_EQ(json["shapes"][2]["label"], "object");
  EXPECT_EQ(parse_json(labelme_annotation({}, "a.png"), "labelme", ErrorKind::failure)["shapes"], Json::array());
}

TEST(Csv, QuotesWhatHoldsCommasOrQuotes) {
  EXPECT_EQ(csv_header(Task::detect) + csv_rows(found(Task::detect)),
            "path,label,score,x1,y1,x2,y2\r\n"
            "\"photos/b & w, \"\"1\"\".png\",cow,0.1,1,0.5,3.25,2\r\n"
            "\"photos/b & w, \"\"1\"\".png\",\"a <\"\"b\"\">, & \\x01\\xff\",,0,0,8,4\r\n"
            "\"photos/b & w, \"\"1\"\".png\",,,4.6,1,4.9,3.5\r\n");
  EXPECT_EQ(csv_header(Task::segment), "path,label,score,x1,y1,x2,y2,rle\r\n");
  const std::string rows = csv_rows(found(Task::segment));
  EXPECT_THAT(rows, HasSubstr("cow,0.1,1,0.5,3.25,2,5130c0\r\n"));
  EXPECT_THAT(rows, HasSubstr(",8,4,\r\n"));
  EXPECT_EQ(csv_rows({}), "");
  const Result quoted{.path = "a.png", .objects = {Object{.label = "a \"b\""}}};
  EXPECT_EQ(csv_rows(quoted), "a.png,\"a \"\"b\"\"\",,0,0,0,0\r\n");
}

TEST(Annotations, AnEmptyMaskIsItsBox) {
  Result result{.task = Task::segment, .width = 8, .height = 4};
  result.objects.push_back({.label = "cow", .box = {0, 0, 4, 2}, .mask = Mask{}});
  result.objects.push_back({.label = "cow", .box = {0, 0, 4, 2}, .mask = Mask{0, 0, 2, 1, {0, 0}}});
  Categories categories(kLabels);
  const std::string box = "1 0.000000 0.000000 0.500000 0.000000 0.500000 0.500000 0.000000 0.500000\n";
  EXPECT_EQ(yolo_labels(result, categories), box + box);
  CocoDocument coco;
  coco.add(1, "a.png", result, categories);
  for (const Json& annotation : parse_json(coco.text(categories), "", ErrorKind::failure)["annotations"]) {
    EXPECT_EQ(annotation["area"], 8.0);
    EXPECT_EQ(annotation["segmentation"], Json::array());
  }
  for (const Json& shape : parse_json(labelme_annotation(result, ""), "", ErrorKind::failure)["shapes"])
    EXPECT_EQ(shape["shape_type"], "rectangle");
}

}  // namespace
}  // namespace paligemma
