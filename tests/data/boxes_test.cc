// The forms of boxes and masks: COCO, VOC, YOLO and LabelMe, as their tools write them.
#include "folder.h"
#include "report/annotations.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCoco = R"({"annotations":[
  {"id":1,"image_id":5,"category_id":2,"bbox":[1,1,4,2],"area":8,"iscrowd":0,"segmentation":[[1,1,5,1,5,3,1,3]]},
  {"id":2,"image_id":5,"category_id":1,"bbox":[0,0,8,4],"iscrowd":1,"segmentation":{"size":[4,8],"counts":[0,32]}},
  {"id":3,"image_id":5,"category_id":9,"bbox":[1,1,4,2]},
  {"id":4,"image_id":6,"category_id":1,"bbox":[1,1,4,2]},
  {"id":5,"image_id":5,"category_id":1,"bbox":[3,1,-1,2]},
  {"id":6,"image_id":5,"category_id":1,"bbox":[20,1,4,2]},
  {"id":7,"image_id":5,"category_id":1,"bbox":[6,1,10,2]},
  {"id":8,"image_id":5,"category_id":1,"bbox":[1,1,4,2],"segmentation":[[1,1,5,1]]},
  {"id":9,"image_id":7,"category_id":1,"segmentation":[[1,1,5,1,5,3]]}],
 "images":[{"id":5,"file_name":"a.png","width":8,"height":4},{"id":7,"file_name":"b.png","width":8,"height":4},
           {"id":8,"file_name":"c.png","width":8,"height":4},{"id":5,"file_name":"c.png"}],
 "categories":[{"id":2,"name":"dog","supercategory":"animals"},{"id":1,"name":"cow","supercategory":"animals"},
               {"id":0,"name":"animals","supercategory":"none"}]})";

TEST(Coco, IsReadInAnyOrder) {
  const DataFolder folder;
  for (const char* name : {"val2017/a.png", "val2017/b.png", "val2017/c.png"}) folder.picture(name);
  folder.write("annotations/instances_val2017.json", kCoco);
  for (const char* name : {"", "annotations/instances_val2017.json"}) {
    const Dataset data = folder.open(name);
    EXPECT_EQ(data.form, "COCO");
    EXPECT_THAT(data.classes, ElementsAre("cow", "dog"));  // the parent of all is none
    ASSERT_EQ(data.samples.size(), 3u);
    const Sample& sample = data.samples[0];
    EXPECT_EQ(sample.split, Split::validation);
    EXPECT_EQ(sample.source_id, "5");
    EXPECT_EQ(sample.task, SampleTask::detect);
    EXPECT_THAT(boxes(sample), ElementsAre("dog 1 1 5 3", "cow 0 0 8 4", "cow 6 1 8 3", "cow 1 1 5 3"));
    EXPECT_EQ(sample.objects[0].shape.polygons, (std::vector<std::vector<double>>{{1, 1, 5, 1, 5, 3, 1, 3}}));
    EXPECT_TRUE(sample.objects[1].crowd);
    EXPECT_EQ(sample.objects[1].shape.runs.counts, (std::vector<std::uint32_t>{0, 32}));
    EXPECT_THAT(boxes(data.samples[1]), ElementsAre("cow 1 1 5 3"));
    EXPECT_THAT(boxes(data.samples[2]), IsEmpty());
    EXPECT_THAT(codes(data), ElementsAre("bad_shape", "duplicate_id", "unknown_class", "bad_row", "box_empty",
                                         "box_outside", "box_clipped"));
    EXPECT_THAT(data.problems[2].text, HasSubstr("expected the id of a category, got category_id 9"));
    EXPECT_THAT(data.problems[4].text, HasSubstr("cow: expected a box inside 8 x 4, got x1 3, y1 1, x2 2, y2 3"));
  }
}

TEST(Coco, OfRoboflowLiesBesideItsPictures) {
  const DataFolder folder;
  for (const std::string split : {"train", "valid"}) {
    folder.picture(split + "/a.png");
    folder.write(
        split + "/_annotations.coco.json",
        R"({"images":[{"id":0,"file_name":"a.png","width":8,"height":4}],"categories":[{"id":0,"name":"cow"}],)"
        R"("annotations":[{"id":0,"image_id":0,"category_id":0,"bbox":[1,1,4,2]}]})");
  }
  const Dataset data = folder.open();
  EXPECT_THAT(ids(data), ElementsAre("train/_annotations.coco.json#0", "valid/_annotations.coco.json#0"));
  EXPECT_EQ(data.samples[1].picture.path, folder.folder() / "valid/a.png");
  EXPECT_EQ(data.samples[1].split, Split::validation);
  EXPECT_THAT(data.classes, ElementsAre("cow"));
}

TEST(Coco, WithTaskSegmentLeavesOutWhatHasNoMask) {
  const DataFolder folder;
  for (const char* name : {"a.png", "b.png", "c.png"}) folder.picture(name);
  folder.write("instances.json", kCoco);
  const Dataset data = folder.open("", {.task = SampleTask::segment});
  EXPECT_EQ(data.samples[0].task, SampleTask::segment);
  EXPECT_THAT(boxes(data.samples[0]), ElementsAre("dog 1 1 5 3", "cow 0 0 8 4"));
}

// Made by pycocotools' users of golden/metrics: each area is that of the mask as pycocotools counts it.
TEST(Coco, OfTheMetricsIsWhole) {
  const DataFolder folder;
  const Json truth = golden_json("data/coco_masks_40_gt.json");
  Json with_names = truth;
  for (Json& image : with_names["images"]) {
    image["file_name"] = join(image["id"], ".png");
    folder.picture(join(image["id"], ".png"), image["width"], image["height"]);
  }
  folder.write("masks.json", dump_json(with_names));
  const Dataset data = folder.open();
  EXPECT_EQ(data.samples.size(), truth["images"].size());
  std::size_t objects = 0, crowds = 0;
  for (const Sample& sample : data.samples) {
    objects += sample.objects.size();
    crowds += static_cast<std::size_t>(std::ranges::count(sample.objects, true, &SampleObject::crowd));
  }
  EXPECT_EQ(objects, truth["annotations"].size());
  EXPECT_EQ(crowds, 13u);
  EXPECT_THAT(codes(data), IsEmpty());
}

TEST(Captions, OfOnePictureAreAnswersOfOneSample) {
  const DataFolder folder;
  folder.picture("val2014/COCO_val2014_000000000042.png");
  folder.write("annotations/captions_val2014.json",
               R"({"images":[{"id":42,"file_name":"COCO_val2014_000000000042.png","width":8,"height":4}],
                   "annotations":[{"image_id":42,"id":1,"caption":"a cow"},{"image_id":42,"id":2,"caption":"One cow."},
                                  {"image_id":42,"id":3,"caption":" "},{"image_id":43,"id":4,"caption":"lost"}]})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_EQ(data.samples[0].task, SampleTask::caption);
  EXPECT_THAT(data.samples[0].answers, ElementsAre("a cow", "One cow."));
  EXPECT_EQ(data.samples[0].source_id, "42");
  EXPECT_EQ(data.samples[0].split, Split::validation);
  EXPECT_THAT(codes(data), ElementsAre("bad_row"));
}

TEST(Captions, OfKarpathyHaveTheirOwnSplits) {
  const DataFolder folder;
  folder.picture("val2014/a.png"), folder.picture("train2014/a.png");
  folder.write("dataset_coco.json", R"({"images":[
    {"filepath":"val2014","filename":"a.png","cocoid":1,"split":"test",
     "sentences":[{"raw":"a cow","tokens":["a","cow"]}]},
    {"filepath":"train2014","filename":"a.png","cocoid":2,"split":"restval","sentences":[{"raw":"x"},{"raw":"y"}]}],
    "dataset":"coco"})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_EQ(data.samples[0].split, Split::test);
  EXPECT_EQ(data.samples[1].split, Split::train);
  EXPECT_EQ(data.samples[1].picture.path, folder.folder() / "train2014/a.png");
  EXPECT_THAT(data.samples[1].answers, ElementsAre("x", "y"));
}

constexpr const char* kVoc = R"(<annotation><folder>VOC</folder><filename>a.png</filename>
  <size><width>8</width><height>4</height><depth>3</depth></size>
  <object><name>cow</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>5</xmax><ymax>3</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox></part></object>
  <object><name>dog</name><bndbox><xmin>2.5</xmin><ymin>1</ymin><xmax>x</xmax><ymax>3</ymax></bndbox></object>
</annotation>)";

TEST(Voc, IsReadWithItsImageSets) {
  const DataFolder folder;
  folder.picture("JPEGImages/a.png"), folder.picture("JPEGImages/b.png");
  folder.write("Annotations/a.xml", kVoc);
  folder.write("Annotations/b.xml", "<annotation><filename>b</filename></annotation>");
  folder.write("Annotations/c.xml", "<annotation>");
  folder.write("ImageSets/Main/train.txt", "a\n"), folder.write("ImageSets/Main/val.txt", "b 1\r\nc\n");
  const Dataset data = folder.open();
  EXPECT_EQ(data.form, "VOC");
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_THAT(boxes(data.samples[0]), ElementsAre("cow 1 0 5 3"));
  EXPECT_EQ(data.samples[0].split, Split::train);
  EXPECT_EQ(data.samples[1].split, Split::validation);
  EXPECT_EQ(data.samples[0].width, 8);
  EXPECT_THAT(codes(data), ElementsAre("box_empty", "bad_row"));
}

TEST(Yolo, IsReadByItsDataYaml) {
  const DataFolder folder;
  for (const char* name : {"train/images/a.png", "train/images/b.png", "valid/images/a.png"}) folder.picture(name);
  folder.write("data.yaml",
               "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['cow', 'dog']\n");
  folder.write("train/labels/a.txt",
               "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.9\n1 0.1 0.1 0.3 0.1 0.3 0.9 0.1 0.9\n");
  folder.write("valid/labels/a.txt",
               "2 0.5 0.5 0.25 0.5\n0 0.5 0.5\n0 x\n0.5 0.5 0.5 0.1 0.1\n0 0.5 0.5 0 0.1\n\n0 0.9 0.5 0.4 0.1\r\n");
  const Dataset data = folder.open();
  EXPECT_EQ(data.form, "YOLO");
  EXPECT_THAT(data.classes, ElementsAre("cow", "dog"));
  ASSERT_EQ(data.samples.size(), 3u);
  EXPECT_EQ(data.samples[0].unit, Unit::shares);
  EXPECT_THAT(boxes(data.samples[0]),
              ElementsAre("cow 0.375 0.25 0.625 0.75", "dog 0.1 0.1 0.5 0.9", "dog 0.1 0.1 0.3 0.9"));
  EXPECT_EQ(data.samples[0].objects[1].shape.polygons[0].size(), 6u);
  EXPECT_EQ(data.samples[0].split, Split::train);
  EXPECT_THAT(boxes(data.samples[1]), IsEmpty());  // a picture without a label file
  EXPECT_EQ(data.samples[2].split, Split::validation);
  EXPECT_THAT(boxes(data.samples[2]), ElementsAre("cow 0.7 0.45 1 0.55"));
  EXPECT_THAT(codes(data), ElementsAre("unknown_class", "bad_row", "bad_row", "unknown_class", "bad_row", "box_empty",
                                       "box_clipped"));
  EXPECT_EQ(data.problems[0].where, "valid/labels/a.txt:1");
  EXPECT_EQ(data.problems[0].text, "expected a class from 0 to below 2, got 2");
}

TEST(Yolo, OfUltralyticsHasAPathAndAMapOfNames) {
  const DataFolder folder;
  folder.picture("coco8/images/train/a.png"), folder.picture("coco8/images/val/b.png");
  folder.write("coco8/labels/train/a.txt", "1 0.5 0.5 1 1\n"), folder.write("coco8/labels/val/b.txt", "");
  folder.write("coco8/val.txt", "./images/val/b.png\n");
  folder.write("coco8.yaml", "path: coco8\ntrain: images/train\nval: val.txt\nnames:\n  0: cow\n  1: dog\n");
  const Dataset data = folder.open("coco8.yaml");
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_THAT(boxes(data.samples[0]), ElementsAre("dog 0 0 1 1"));
  EXPECT_EQ(data.samples[1].split, Split::validation);
}

TEST(Yolo, WithoutDataYamlHasItsClassesInAFile) {
  const DataFolder folder;
  folder.picture("train/images/a.png"), folder.picture("valid/images/a.png");
  folder.write("classes.txt", "cow\ndog\n");
  folder.write("train/labels/a.txt", "1 0.5 0.5 1 1\n"), folder.write("valid/labels/a.txt", "0 0.5 0.5 1 1\n");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_THAT(boxes(data.samples[0]), ElementsAre("dog 0 0 1 1"));
  EXPECT_EQ(data.samples[1].picture.path, folder.folder() / "valid/images/a.png");
}

TEST(LabelMe, HasEveryShape) {
  const DataFolder folder;
  folder.picture("a.png", 20, 20);
  // A mask of 2 x 2 pixels, of which the upper left one is outside: written by Pillow.
  folder.write(
      "a.json",
      R"({"version":"5.0.1","flags":{},"imagePath":"..\\data\\a.png","imageData":null,"imageHeight":20,"imageWidth":20,
    "shapes":[{"label":"cow","points":[[5,6],[1,2]],"shape_type":"rectangle","group_id":null},
      {"label":"dog","points":[[1,1],[5,1],[5,3]],"shape_type":"polygon","group_id":1},
      {"label":"dog","points":[[9,9],[12,9],[12,15]],"shape_type":"polygon","group_id":1},
      {"label":"sun","points":[[10,10],[13,14]],"shape_type":"circle"},
      {"label":"line","points":[[1,1],[5,1]],"shape_type":"line"},
      {"label":"hat","points":[[3,4],[5,6]],"shape_type":"mask",
       "mask":"iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNg+M/0nwEABgYCAX4eAgoAAAAASUVORK5CYII="}]})");
  const Dataset data = folder.open();
  EXPECT_EQ(data.form, "LabelMe");
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_THAT(boxes(data.samples[0]), ElementsAre("cow 1 2 5 6", "dog 1 1 12 15", "sun 5 5 15 15", "hat 3 4 5 6"));
  EXPECT_EQ(data.samples[0].objects[1].shape.polygons.size(), 2u);
  EXPECT_EQ(data.samples[0].objects[3].shape.runs.counts, (std::vector<std::uint32_t>{65, 1, 18, 2, 314}));
  ASSERT_THAT(codes(data), ElementsAre("bad_shape"));
}

// What --format writes comes back: the objects of one picture, of detect and of segment.
Result written(Task task) {
  Result result{.task = task, .path = "a.png", .width = 64, .height = 32};
  result.objects.push_back({.label = "cow", .box = {10, 4, 30, 20}, .score = 0.5});
  result.objects.push_back({.label = "traffic light", .box = {40, 8, 48, 24}, .score = 0.25});
  if (task == Task::segment)
    for (Object& object : result.objects) {
      const auto& [x1, y1, x2, y2] = object.box;
      Mask mask{.x = int(x1), .y = int(y1), .width = int(x2 - x1), .height = int(y2 - y1)};
      mask.inside.assign(std::size_t(mask.width) * mask.height, 1);
      mask.inside[0] = 0;
      object.mask = mask;
    }
  return result;
}

struct WrittenForm {
  const char* form;
  std::function<void(const DataFolder&, const Result&)> write;
};

const WrittenForm kForms[] = {
    {"COCO",
     [](const DataFolder& folder, const Result& result) {
       Categories categories(std::vector<std::string>{});
       CocoDocument document;
       document.add(1, "a.png", result, categories);
       folder.write("annotations.json", document.text(categories));
     }},
    {"VOC", [](const DataFolder& folder, const Result& result) { folder.write("a.xml", voc_annotation(result)); }},
    {"YOLO",
     [](const DataFolder& folder, const Result& result) {
       Categories categories(std::vector<std::string>{});
       folder.write("a.txt", yolo_labels(result, categories));
       folder.write("classes.txt", yolo_classes(categories));
       folder.write("data.yaml", yolo_data(categories));
     }},
    {"LabelMe", [](const DataFolder& folder,
                   const Result& result) { folder.write("a.json", labelme_annotation(result, "a.png")); }},
    {"CSV", [](const DataFolder& folder,
               const Result& result) { folder.write("a.csv", csv_header(result.task) + csv_rows(result)); }},
};

TEST(WrittenAnnotations, AreReadBack) {
  for (const Task task : {Task::detect, Task::segment})
    for (const WrittenForm& form : kForms) {
      SCOPED_TRACE(form.form);
      const DataFolder folder;
      folder.picture("a.png", 64, 32);
      form.write(folder, written(task));
      const Dataset data = folder.open();
      EXPECT_EQ(data.form, form.form);
      EXPECT_THAT(codes(data), IsEmpty());
      ASSERT_EQ(data.samples.size(), 1u);
      Sample sample = data.samples[0];
      ASSERT_TRUE(bring_to_pixels(sample, 64, 32));
      EXPECT_THAT(boxes(sample), ElementsAre("cow 10 4 30 20", "traffic light 40 8 48 24"));
      EXPECT_EQ(sample.objects[0].shape.empty(), task == Task::detect || form.form == std::string("VOC"));
    }
}

}  // namespace
}  // namespace paligemma::test
