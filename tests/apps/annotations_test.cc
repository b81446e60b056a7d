#include "annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using test::files_in;
using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Request kDetect{.task = Task::detect, .labels = {"cow", "dog"}};

Result found(const std::string& path, const std::string& label) {
  return {.task = Task::detect,
          .path = path,
          .width = 4,
          .height = 2,
          .objects = {Object{.label = label, .box = {0, 0, 2, 2}}}};
}

void expect_refused(AnnotationFormat format, const std::string& output, const std::vector<std::string>& inputs,
                    std::string_view code, std::string_view part) {
  expect_error(code == "write_failed" ? ErrorKind::failure : ErrorKind::usage, code, part,
               [&] { Annotations(format, output, inputs, kDetect, false); });
}

TEST(Annotations, WriteNothingUnlessAsked) {
  EXPECT_FALSE(Annotations().wanted());
  Output output;
  EXPECT_NO_THROW(Annotations().finish(output));
}

TEST(Annotations, OfEachPictureLieInTheFolder) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"x/a.jpg", "-"};
  Output output;
  Annotations yolo(AnnotationFormat::yolo, scratch.path("y"), inputs, kDetect, false);
  yolo.add(0, found("x/a.jpg", "dog"), output);
  EXPECT_EQ(scratch.read("y/classes.txt"), "cow\ndog\n");
  yolo.add(1, found("-", "cat"), output);
  yolo.finish(output);
  EXPECT_THAT(files_in(scratch.path("y")), ElementsAre("a.txt", "classes.txt", "data.yaml", "stdin.txt"));
  EXPECT_THAT(scratch.read("y/a.txt"), StartsWith("1 0.25"));
  EXPECT_THAT(scratch.read("y/stdin.txt"), StartsWith("2 0.25"));
  EXPECT_EQ(scratch.read("y/classes.txt"), "cow\ndog\ncat\n");
  EXPECT_THAT(scratch.read("y/data.yaml"), HasSubstr("2: \"cat\""));

  Annotations voc(AnnotationFormat::voc, scratch.path("v/"), inputs, kDetect, false);
  voc.add(0, found("x/a.jpg", "dog"), output);
  EXPECT_THAT(files_in(scratch.path("v")), ElementsAre("a.xml"));
}

TEST(Annotations, OfYoloHaveClassesAlsoWithoutPictures) {
  const Scratch scratch;
  Output output;
  Annotations yolo(AnnotationFormat::yolo, scratch.path("y"), std::vector<std::string>{"a.jpg"}, kDetect, false);
  yolo.finish(output);
  EXPECT_THAT(files_in(scratch.path("y")), ElementsAre("classes.txt", "data.yaml"));
}

TEST(Annotations, OfLabelmeNameThePictureFromWhereTheyLie) {
  const Scratch scratch;
  const std::string a = scratch.write("photos/a.png", ""), b = scratch.write("labels/b.png", "");
  std::filesystem::create_directory_symlink(scratch.folder() / "labels", scratch.folder() / "link");
  Output output;
  for (const char* folder : {"labels", "link"}) {
    Annotations labelme(AnnotationFormat::labelme, scratch.path(folder), std::vector<std::string>{a, b}, kDetect, true);
    labelme.add(0, found(a, "cow"), output);
    labelme.add(1, found(b, "cow"), output);
    EXPECT_THAT(scratch.read("labels/a.json"), HasSubstr("\"imagePath\":\"../photos/a.png\""));
    EXPECT_THAT(scratch.read("labels/b.json"), HasSubstr("\"imagePath\":\"b.png\""));
  }
}

TEST(Annotations, OfAllPicturesAreOneFile) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {scratch.path("x/a.jpg"), scratch.path("b.jpg"), scratch.path("x/y/a.jpg")};
  Output output;
  const auto write = [&](AnnotationFormat format, const std::string& place) {
    Annotations annotations(format, scratch.path(place), inputs, kDetect, false);
    annotations.add(0, found(inputs[0], "cow"), output);
    annotations.add_failure(1, Error(ErrorKind::input, "image_decode", "broken"), output);
    annotations.add(2, found(inputs[2], "cat"), output);
    annotations.finish(output);
  };
  write(AnnotationFormat::coco, "c.json");
  write(AnnotationFormat::coco, "c.json");  // what -o names is overwritten
  const Json coco = parse_json(scratch.read("c.json"), "coco", ErrorKind::failure);
  EXPECT_EQ(coco["images"], Json::array({{{"id", 1}, {"file_name", "x/a.jpg"}, {"width", 4}, {"height", 2}},
                                         {{"id", 3}, {"file_name", "x/y/a.jpg"}, {"width", 4}, {"height", 2}}}));
  EXPECT_EQ(coco["categories"].back(), Json({{"id", 3}, {"name", "cat"}}));

  write(AnnotationFormat::csv, "folder/");
  EXPECT_EQ(scratch.read("folder/annotations.csv"),
            "path,label,score,x1,y1,x2,y2\r\n" + inputs[0] + ",cow,,0,0,2,2\r\n" + inputs[2] + ",cat,,0,0,2,2\r\n");
  write(AnnotationFormat::jsonl, "folder");
  EXPECT_THAT(scratch.read("folder/annotations.jsonl"), HasSubstr("}\n{\"schema\":\"paligemma.result/1\",\"image\":{"));
  EXPECT_THAT(files_in(scratch.path("folder")), ElementsAre("annotations.csv", "annotations.jsonl"));
  write(AnnotationFormat::coco, "new/deep/c.json");
  EXPECT_EQ(scratch.read("new/deep/c.json"), scratch.read("c.json"));
}

TEST(Annotations, OfOnePictureGoByItsName) {
  const Scratch scratch;
  Output output;
  for (const std::string& input : {std::string("-"), scratch.path("x/a.jpg")}) {
    Annotations coco(AnnotationFormat::coco, scratch.path("c.json"), std::vector<std::string>{input}, kDetect, false);
    coco.add(0, found(input, "cow"), output);
    coco.finish(output);
    EXPECT_THAT(scratch.read("c.json"), HasSubstr(input == "-" ? "\"stdin\"" : "\"a.jpg\""));
  }
}

TEST(Annotations, NeverCollideOrOverwrite) {
  const Scratch scratch;
  const std::string folder = scratch.path("out");
  expect_refused(AnnotationFormat::yolo, folder, {"x/a.jpg", "y/a.png"}, "name_taken",
                 "a.txt, got y/a.png after x/a.jpg");
  expect_refused(AnnotationFormat::yolo, folder, {"classes.png"}, "name_taken", "classes.txt");
  expect_refused(AnnotationFormat::coco, "", {"x/a.jpg", "b.jpg", "./x/a.jpg"}, "name_taken", "x/a.jpg");
  EXPECT_FALSE(std::filesystem::exists(folder));
  const std::pair<AnnotationFormat, const char*> taken[] = {{AnnotationFormat::voc, "out/a.xml"},
                                                            {AnnotationFormat::yolo, "out/a.txt"},
                                                            {AnnotationFormat::yolo, "out/classes.txt"},
                                                            {AnnotationFormat::labelme, "out/a.json"},
                                                            {AnnotationFormat::coco, "out/annotations.json"},
                                                            {AnnotationFormat::csv, "out/annotations.csv"}};
  for (const auto& [format, file] : taken) {
    scratch.write(file, "kept");
    expect_refused(format, folder, {"a.jpg"}, "file_exists", file);
    EXPECT_EQ(scratch.read(file), "kept");
    EXPECT_NO_THROW(Annotations(format, folder, std::vector<std::string>{"a.jpg"}, kDetect, true));
    std::filesystem::remove_all(folder);
  }
}

TEST(Annotations, NeedAPlaceThatSuitsTheFormat) {
  const Scratch scratch;
  for (const AnnotationFormat format : {AnnotationFormat::yolo, AnnotationFormat::voc, AnnotationFormat::labelme}) {
    expect_refused(format, "", {"a.jpg"}, "bad_value", "expected -o with a folder's name, got none");
    expect_refused(format, scratch.path("a.txt"), {"a.jpg"}, "bad_value", "a.txt");
  }
  expect_refused(AnnotationFormat::coco, scratch.path("a.png"), {"a.jpg"}, "bad_value", "expected .json");
  expect_refused(AnnotationFormat::csv, scratch.path("a.json"), {"a.jpg"}, "bad_value", "expected .csv");
  scratch.write("file", "");
  expect_refused(AnnotationFormat::coco, scratch.path("file/a.json"), {"a.jpg"}, "write_failed", "file");
  expect_refused(AnnotationFormat::voc, scratch.path("file"), {"a.jpg"}, "write_failed", "file");
}

}  // namespace
}  // namespace paligemma
