#include "placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch.h"

namespace paligemma {
namespace {

using test::files_in;
using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Picture kPicture{.width = 4, .height = 3, .rgb = std::vector<std::uint8_t>(36, 200)};

Result one_object() {
  Object object{.label = "cow", .box = {1, 1, 3, 2}};
  object.mask = Mask{.x = 1, .y = 1, .width = 2, .height = 1, .inside = {1, 0}};
  return {
      .task = Task::segment, .path = "cow.jpg", .width = 4, .height = 3, .objects = {object, Object{.label = "dog"}}};
}

void expect_error(ErrorKind kind, std::string_view part, const std::string& output,
                  const std::vector<std::string>& inputs, bool masks = false) {
  try {
    Placement(output, inputs, masks, false);
    ADD_FAILURE() << "expected an error for " << output;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Placement, NothingIsWantedWithoutOutput) {
  EXPECT_FALSE(Placement().wanted());
  EXPECT_FALSE(Placement("", std::vector<std::string>{"a.png"}, true, false).wanted());
}

TEST(Placement, AFileIsWrittenInTheFormOfItsSuffix) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"cow.jpg"};
  const std::pair<const char*, std::string> forms[] = {
      {"a.png", "\x89PNG"}, {"a.jpg", "\xff\xd8"}, {"a.JPEG", "\xff\xd8"}, {"a.webp", "RIFF"}, {"a.svg", "<"}};
  for (const auto& [name, begins] : forms) {
    Placement placement(scratch.path(name), inputs, false, false);
    placement.write_drawing(0, kPicture, one_object());
    EXPECT_THAT(scratch.read(name), ::testing::StartsWith(begins)) << name;
    placement.write_drawing(0, kPicture, one_object());  // what -o names is overwritten
    EXPECT_TRUE(placement.write_masks(0, one_object()).empty());
  }
}

TEST(Placement, AFolderGetsAPictureOfEachInputsName) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"x/cow.jpg", "y/cow.webp", "-", "plain", "cow-2.gif"};
  Placement placement(scratch.path("new/out"), inputs, false, false);
  for (std::size_t i = 0; i < inputs.size(); ++i) placement.write_drawing(i, kPicture, one_object());
  EXPECT_THAT(files_in(scratch.path("new/out")),
              ElementsAre("cow-2-2.png", "cow-2.png", "cow.png", "plain.png", "stdin.png"));
}

TEST(Placement, AFileGetsTheFoldersThatItLiesIn) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"cow.jpg"};
  Placement(scratch.path("new/out/a.png"), inputs, false, false).write_drawing(0, kPicture, one_object());
  EXPECT_THAT(files_in(scratch.path("new/out")), ElementsAre("a.png"));
}

TEST(Placement, AFolderIsWhatIsOneOrEndsInASlashOrHasNoSuffix) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"cow.jpg"};
  std::filesystem::create_directory(scratch.folder() / "there.v1");
  for (const char* name : {"there.v1", "made.v2/", "plain"}) {
    Placement(scratch.path(name), inputs, false, false).write_drawing(0, kPicture, one_object());
    EXPECT_THAT(files_in(scratch.path(name)), ElementsAre("cow.png")) << name;
  }
}

TEST(Placement, MasksLieBesideTheirDrawing) {
  const Scratch scratch;
  const std::vector<std::string> inputs = {"cow.jpg", "cow.mask-1.jpg"};
  Placement placement(scratch.path("out/"), inputs, true, false);
  placement.write_drawing(0, kPicture, one_object());
  placement.write_drawing(1, kPicture, one_object());
  // The first object's mask gives way to the second input's drawing; the second object has no mask.
  EXPECT_THAT(placement.write_masks(0, one_object()), ElementsAre(scratch.path("out/cow.mask-1-2.png"), ""));
  const Picture mask = read_picture(scratch.path("out/cow.mask-1-2.png"));
  EXPECT_EQ(mask.width, 4);
  EXPECT_EQ(mask.height, 3);
  std::vector<int> inside;
  for (std::size_t i = 0; i < mask.rgb.size(); i += 3) inside.push_back(mask.rgb[i]);
  EXPECT_THAT(inside, ElementsAre(0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0));
}

TEST(Placement, NothingIsOverwrittenWithoutForce) {
  const Scratch scratch;
  scratch.write("out/cow.png", "kept");
  scratch.write("out/dog.mask-7.png", "kept");
  expect_error(ErrorKind::usage, "cow.png", scratch.path("out"), {"a.jpg", "cow.jpg"});
  expect_error(ErrorKind::usage, "dog.mask-7.png", scratch.path("out"), {"dog.jpg"}, true);
  EXPECT_NO_THROW(Placement(scratch.path("out"), std::vector<std::string>{"dog.jpg"}, false, false));
  Placement(scratch.path("out"), std::vector<std::string>{"cow.jpg"}, false, true)
      .write_drawing(0, kPicture, one_object());
  EXPECT_NE(scratch.read("out/cow.png"), "kept");
}

TEST(Placement, RefusesWhatCannotBe) {
  const Scratch scratch;
  expect_error(ErrorKind::usage, ".gif", scratch.path("a.gif"), {"cow.jpg"});
  expect_error(ErrorKind::usage, "expected a folder", scratch.path("a.png"), {"cow.jpg", "dog.jpg"});
  const std::string file = scratch.write("file", "");
  expect_error(ErrorKind::failure, "file", file, {"cow.jpg"});
  expect_error(ErrorKind::failure, "file", file + "/a.png", {"cow.jpg"});
}

}  // namespace
}  // namespace paligemma
