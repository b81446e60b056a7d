// paligemma train-codec: files, messages, exit codes, and runs that are ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "child.h"
#include "image/encode.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A folder of rings of several sizes.
std::string ring_masks(const Scratch& scratch, int count) {
  constexpr int kSide = 32;
  for (int i = 0; i < count; ++i) {
    std::vector<std::uint8_t> gray;
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) {
        const double r = std::hypot(x - 15.5, (y - 15.5) * (1 + 0.02 * i));
        gray.push_back(r < 15 && r > 0.1 * i ? 255 : 0);
      }
    const std::vector<std::byte> png = encode_gray_png(gray, kSide, kSide);
    scratch.write("masks/" + std::to_string(100 + i) + ".png", {reinterpret_cast<const char*>(png.data()), png.size()});
  }
  return scratch.path("masks");
}

std::vector<std::string> train(const std::string& masks, const std::string& to, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"train-codec", masks, "-o",      to,  "--steps",     "12",
                                 "--width",     "8",   "--batch", "4", "--embedding", "8"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(TrainCodecCommand, MakesACodecThatAModelTakes) {
  const Scratch scratch;
  const std::string masks = ring_masks(scratch, 20);
  scratch.write("masks/broken.png", "no picture");
  const std::string to = scratch.path("new/codec.npz");
  const Ended made = run_program(train(masks, to, {"--json", "--val", "0.25"}));
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: skipped: " + masks + "/broken.png: "));
  EXPECT_THAT(made.err, HasSubstr("20 masks, of which 5 are held out; 0 empty, 1 unreadable"));
  const Json json = json_of(made);
  EXPECT_EQ(json["schema"], "paligemma.train-codec/1");
  EXPECT_EQ(json["masks"], 15);
  EXPECT_EQ(json["held_out"], 5);
  EXPECT_EQ(json["unreadable"], Json::array({masks + "/broken.png"}));
  EXPECT_GT(json["iou"], 0);
  EXPECT_EQ(json["steps"], 12);
  EXPECT_THAT(files_in(scratch.path("new")), ElementsAre("codec.npz", "codec.npz.run"));
  const Ended asked = run_program({"segment", "cow", POCKET_DIR "/pictures/beach.png", "--codec", to, "--json"});
  EXPECT_EQ(asked.code, 0) << asked.err;

  const Json measured = json_of(run_program({"train-codec", masks, "--measure", to, "--json"}));
  EXPECT_EQ(measured["output"], to);
  EXPECT_EQ(measured["masks"], 0);
  EXPECT_EQ(measured["held_out"], 20);
  EXPECT_EQ(measured["steps"], 0);
  EXPECT_NEAR(measured["iou"], json["iou"], 0.2);
  EXPECT_LE(measured["least_iou"], json["least_iou"]);
}

// The masks of PNG files as run lengths in pictures twice as large, which are not there.
std::string coco_of(const Scratch& scratch, const std::string& folder) {
  Json document = {{"images", {{{"id", 1}, {"file_name", "gone.jpg"}, {"width", 64}, {"height", 64}}}},
                   {"categories", {{{"id", 1}, {"name", "ring"}}}},
                   {"annotations", Json::array()}};
  const auto add = [&](Json one) {
    one["image_id"] = one["category_id"] = 1;
    document["annotations"].push_back(std::move(one));
  };
  std::int64_t id = 0;
  for (const std::string& name : files_in(folder)) {
    const Picture picture = read_picture(folder + "/" + name);
    std::vector<std::uint32_t> counts{0};
    int left = 64, top = 64, right = 0, bottom = 0;
    bool inside = false;
    for (int x = 0; x < 64; ++x)
      for (int y = 0; y < 64; ++y) {
        const int column = x - 20, row = y - 9;
        const bool is = column >= 0 && column < picture.width && row >= 0 && row < picture.height &&
                        picture.rgb[3 * std::size_t(row * picture.width + column)] > 127;
        if (is != inside) counts.push_back(0);
        inside = is;
        ++counts.back();
        if (is)
          left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1),
          bottom = std::max(bottom, y + 1);
      }
    add({{"id", ++id},
         {"bbox", {left, top, right - left, bottom - top}},
         {"segmentation", {{"size", {64, 64}}, {"counts", counts}}}});
  }
  add({{"id", ++id}, {"bbox", {1, 1, 5, 5}}});
  add({{"id", ++id}, {"bbox", {1, 1, 5, 5}}, {"iscrowd", 1}, {"segmentation", {{1, 1, 6, 1, 6, 6}}}});
  add({{"id", ++id}, {"bbox", {1, 1, 5, 5}}, {"segmentation", {{1, 1, 6}}}});
  return scratch.write("instances.json", dump_json(document));
}

TEST(TrainCodecCommand, LearnsTheSameOfACocoDocument) {
  const Scratch scratch;
  const std::string folder = ring_masks(scratch, 20), one = scratch.path("one.npz"), two = scratch.path("two.npz");
  EXPECT_EQ(run_program(train(folder, one, {"-q"})).code, 0);
  const Ended made = run_program(train(coco_of(scratch, folder), two, {"--json"}));
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: skipped: instances.json: bad_shape: expected polygons"));
  EXPECT_THAT(made.err, HasSubstr("20 masks, of which 2 are held out; 0 empty, 1 unreadable, 2 boxes without a mask, "
                                  "1 crowds"));
  const Json json = json_of(made);
  EXPECT_EQ(json["without_mask"], 2);
  EXPECT_EQ(json["crowds"], 1);
  EXPECT_EQ(json["unreadable"], Json::array({"instances.json"}));
  EXPECT_EQ(scratch.read("one.npz"), scratch.read("two.npz"));
}

TEST(TrainCodecCommand, SaysHowGoodTheCodecIs) {
  const Scratch scratch;
  const std::string to = scratch.path("codec.npz");
  const Ended made = run_program(train(ring_masks(scratch, 20), to, {"-q"}));
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.err, "");
  EXPECT_THAT(made.out, HasSubstr("codec.npz: mean IoU 0."));
  EXPECT_THAT(made.out, HasSubstr(" of 2 held-out masks (least 0."));
  EXPECT_THAT(made.out, HasSubstr(" % of the codes stay when a mask is turned or moved a little"));
  const Ended unmeasured = run_program(train(scratch.path("masks"), to, {"-q", "--force", "--val", "0"}));
  EXPECT_EQ(unmeasured.out, to + "\n");
}

TEST(TrainCodecCommand, MakesGroupsAndFewerCodes) {
  const Scratch scratch;
  const std::string to = scratch.path("codec.npz");
  const Ended made = run_program(train(ring_masks(scratch, 20), to, {"--json", "--groups", "4", "--codes", "3"}));
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_LE(json_of(made)["used_codes"], 3);
  const Ended asked = run_program({"segment", "cow", POCKET_DIR "/pictures/beach.png", "--codec", to, "--json"});
  EXPECT_EQ(asked.code, 0) << asked.err;
}

TEST(TrainCodecCommand, SaysWhatIsWrong) {
  const Scratch scratch;
  const std::string masks = ring_masks(scratch, 3), to = scratch.path("codec.npz");
  const auto expect = [&](std::vector<std::string> words, int code, const std::string& part) {
    words.insert(words.begin(), "train-codec");
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
  };
  expect({masks}, 2, "train-codec: expected -o, got none. Try: -o codec.npz");
  expect({"-o", to}, 2, "train-codec");
  expect({masks, "-o", to, "--measure", to}, 2, "expected no -o");
  expect({masks, "--measure", to}, 4, "codec.npz");
  expect({masks, "--measure", GOLDEN_DIR "/codec/tiny.safetensors"}, 4, "got a file that only decodes");
  expect({masks, "-o", to, "--codes", "1"}, 2, "--codes");
  expect({masks, "-o", to, "--groups", "-1"}, 2, "--groups");
  expect({masks, "-o", to, "--val", "1"}, 2, "--val");
  expect({masks, "-o", to, "--init", scratch.path("none.npz")}, 4, "none.npz");
  expect({masks, "-o", to, "--init", GOLDEN_DIR "/codec/tiny.safetensors"}, 4, "got a file that only decodes");
  expect({scratch.path("none"), "-o", to}, 3, "expected a folder of PNG masks");
  expect({scratch.write("coco.json", "{}"), "-o", to}, 2, "expected a COCO document with segmentations");
  expect({scratch.write("boxes.json", R"({"images":[{"id":1,"file_name":"a.png"}],"categories":[{"id":1,"name":"cow"}],
          "annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,2,2]}]})"),
          "-o", to},
         2, "expected annotations with polygons or run lengths, got none, 1 boxes alone");
  fs::create_directory(scratch.folder() / "empty");
  expect({scratch.path("empty"), "-o", to}, 3, "expected PNG files, one mask each, got none");
  const std::vector<std::byte> black = encode_gray_png(std::vector<std::uint8_t>(9), 3, 3);
  for (const std::string name : {"black/a.png", "black/b.png"})
    scratch.write(name, {reinterpret_cast<const char*>(black.data()), black.size()});
  expect({scratch.path("black"), "-o", to}, 3, "expected masks to train on, got none, 2 empty");
  expect({scratch.path("black"), "--measure", to}, 3, "expected masks, got none, 2 empty");
  scratch.write("codec.npz", "another");
  expect({masks, "-o", to}, 2, "Try: --force");
  EXPECT_EQ(scratch.read("codec.npz"), "another");
}

// Killed at several moments and gone on with each time: the file of a run that nobody disturbed.
TEST(TrainCodecCommand, GoesOnAfterItWasKilled) {
  const Scratch scratch;
  const std::string masks = ring_masks(scratch, 12);
  const std::vector<std::string> more{"--steps", "450", "--embedding", "4", "-t", "1", "-q"};
  EXPECT_EQ(run_program(train(masks, scratch.path("whole.npz"), more)).code, 0);
  std::vector<std::string> resumed = more;
  resumed.emplace_back("--resume");
  int killed = 0;
  for (int round = 0; round < 3; ++round) {
    // Once another state is there, and a little more.
    const fs::path state = scratch.path("parts.npz.run/state.safetensors");
    std::error_code ignored;
    const auto before = fs::last_write_time(state, ignored);
    int left = 5 + 10 * round;
    killed +=
        run_program(train(masks, scratch.path("parts.npz"), resumed),
                    {.meanwhile =
                         [&](pid_t child) {
                           std::error_code none;
                           if (fs::exists(state, none) && fs::last_write_time(state, none) != before && left-- == 0)
                             kill(child, SIGKILL);
                         }})
            .code == 128 + SIGKILL;
  }
  EXPECT_GT(killed, 0);
  const Ended ended = run_program(train(masks, scratch.path("parts.npz"), resumed));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(scratch.read("parts.npz"), scratch.read("whole.npz"));
}

TEST(TrainCodecCommand, EndsInOrderWhenItIsInterrupted) {
  const Scratch scratch;
  const std::string masks = ring_masks(scratch, 12), to = scratch.path("codec.npz");
  int left = 5;
  const Ended ended = run_program(train(masks, to, {"--steps", "1000000", "-t", "1"}), {.meanwhile = [&](pid_t child) {
                                    std::error_code none;
                                    if (fs::exists(scratch.path("codec.npz.run/log.jsonl"), none) && left-- == 0)
                                      kill(child, SIGINT);
                                  }});
  EXPECT_EQ(ended.code, 130) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("Try: --resume"));
  EXPECT_THAT(files_in(scratch.path("codec.npz.run")), ElementsAre("log.jsonl", "run.json", "state.safetensors"));
  EXPECT_FALSE(fs::exists(to));
}

TEST(TrainCodecCommand, AFullDiskLeavesTheLastGoodState) {
  const Scratch scratch;
  const std::string masks = ring_masks(scratch, 12), to = scratch.path("codec.npz");
  for (const std::size_t room : {100, 3000, 40000}) {
    const Ended ended = run_program(train(masks, to, {"--force"}), {.in_child = with_files_up_to(room)});
    EXPECT_EQ(ended.code, 1) << room << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("cannot write")) << room;
    EXPECT_FALSE(fs::exists(to));
  }
  EXPECT_EQ(run_program(train(masks, to, {"--resume", "-q"})).code, 0);
  EXPECT_TRUE(fs::exists(to));
}

}  // namespace
}  // namespace paligemma::test
