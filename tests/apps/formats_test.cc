// --format: what detect and segment write for other tools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

void expect_quiet(const std::vector<std::string>& words) {
  const Ended ended = run_program(words);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "");
}

TEST(Formats, HoldWhatTheResultsDo) {
  const Scratch scratch;
  const Json coco = json_of(run_program({"segment", "cow", kBeach, kCity, "--format", "coco"}));
  const Json plain = json_of(run_program({"segment", "cow", kBeach, kCity, "--json"}));
  EXPECT_EQ(coco.at("images")[1], Json({{"id", 2}, {"file_name", "city.png"}, {"width", 448}, {"height", 448}}));
  ASSERT_EQ(coco.at("annotations").size(), plain[0].at("objects").size() + plain[1].at("objects").size());
  const auto box = plain[0].at("objects")[0].at("box").get<std::array<double, 4>>();
  EXPECT_EQ(coco.at("annotations")[0].at("bbox"), Json({box[0], box[1], box[2] - box[0], box[3] - box[1]}));
  EXPECT_EQ(coco.at("annotations")[0].at("segmentation").at("counts"),
            plain[0].at("objects")[0].at("mask").at("counts"));

  expect_quiet({"detect", "cow", kBeach, "--format", "yolo", "-o", scratch.path("y")});
  EXPECT_THAT(scratch.read("y/beach.txt"), StartsWith("0 0."));
  EXPECT_EQ(scratch.read("y/classes.txt"), "cow\n");
  expect_quiet({"detect", "cow", kBeach, "--format", "labelme", "-o", scratch.path("l/")});
  EXPECT_THAT(scratch.read("l/beach.json"), HasSubstr("\"rectangle\""));
  const Ended voc = run_program({"segment", "cow", kBeach, "--format", "voc", "-o", scratch.path("v/")});
  EXPECT_EQ(voc.code, 0);
  EXPECT_THAT(voc.err, HasSubstr("no place for masks"));
  EXPECT_THAT(scratch.read("v/beach.xml"), HasSubstr("<filename>beach.png</filename>"));
  EXPECT_THAT(run_program({"detect", "cow", kBeach, "--format", "csv"}).out,
              MatchesRegex("path,label,score,x1,y1,x2,y2\r\n.*/beach.png,cow,0\\.[0-9]+(,[0-9.]+){4}\r\n"));
  EXPECT_EQ(run_program({"detect", "cow", kBeach, "--format", "jsonl"}).out,
            run_program({"detect", "cow", kBeach, "--jsonl"}).out);
}

TEST(Formats, OfNothingFoundAreWhole) {
  const Scratch scratch;
  const std::vector<std::string> words = {"detect",       "truck", kBeach, "--suffix", " ",
                                          "--max-tokens", "0",     "-q",   "--format"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    const Ended ended = run_program(more);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return ended.out;
  };
  EXPECT_EQ(parse_json(with({"coco"}), "coco", ErrorKind::failure).at("annotations"), Json::array());
  EXPECT_EQ(with({"csv"}), "path,label,score,x1,y1,x2,y2\r\n");
  with({"yolo", "-o", scratch.path("o/")});
  EXPECT_TRUE(std::filesystem::is_regular_file(scratch.path("o/beach.txt")));
  EXPECT_EQ(scratch.read("o/beach.txt"), "");
  EXPECT_EQ(scratch.read("o/classes.txt"), "truck\n");
}

TEST(Formats, LeaveOutPicturesThatFail) {
  const Scratch scratch;
  const std::string bad = scratch.write("bad.png", "no picture");
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"detect", "cow", bad, kBeach, "-q", "--format"});
    const Ended ended = run_program(more);
    EXPECT_EQ(ended.code, 3);
    EXPECT_THAT(ended.err, HasSubstr(bad));
    return ended.out;
  };
  const Json coco = parse_json(run({"coco"}), "coco", ErrorKind::failure);
  ASSERT_EQ(coco.at("images").size(), 1u);
  EXPECT_EQ(coco.at("images")[0].at("id"), 2);
  EXPECT_EQ(coco.at("annotations")[0].at("image_id"), 2);
  run({"voc", "-o", scratch.path("v/")});
  EXPECT_FALSE(std::filesystem::exists(scratch.path("v/bad.xml")));
  EXPECT_TRUE(std::filesystem::exists(scratch.path("v/beach.xml")));
  const std::vector<std::string> lines = lines_of(run({"jsonl"}));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("image_decode"));
}

}  // namespace
}  // namespace paligemma::test
