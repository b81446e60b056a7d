// paligemma train and eval: files, messages, exit codes, and runs that are ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "child.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

// Captions of the embedded model's pictures, and a row about a picture that begins like one and is none.
std::string caption_rows(const Scratch& scratch, bool broken = false) {
  std::string rows;
  for (const char* name : {"beach", "city", "desert", "field", "forest", "road", "room", "snow"}) {
    const std::string file = std::string(name) + ".png";
    scratch.write("data/" + file, Scratch::bytes_of(fs::path(POCKET_DIR) / "pictures" / file));
    rows += R"({"image":")" + file + R"(","prefix":"caption en","suffix":"the )" + name + "\"}\n";
  }
  if (broken) {
    scratch.write("data/broken.png", scratch.read("data/beach.png").substr(0, 100));
    rows += R"({"image":"broken.png","prefix":"caption en","suffix":"nothing"})"
            "\n";
  }
  scratch.write("data/train.jsonl", rows);
  return scratch.path("data");
}

std::vector<std::string> words(const Scratch& scratch, const std::string& data, const std::string& out,
                               std::vector<std::string> more = {}) {
  std::vector<std::string> all{
      "train", data,    "-o",  scratch.path(out), "--batch", "2", "--accumulate", "1", "--steps", "40", "--eval-every",
      "10",    "--val", "0.3", "--answer-tokens", "4"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// What a run learnt: its losses and evaluations, without how fast it was, and its weights.
std::string learnt(const Scratch& scratch, const std::string& out) {
  std::string text;
  for (const std::string& line : lines_of(scratch.read(out + "/log.jsonl"))) {
    Json json = Json::parse(line);
    json.erase("examples_per_s");
    text += json.dump() + "\n";
  }
  for (const char* name : {"last", "best"}) {
    const std::string weights = scratch.read(out + "/" + name + "/adapter_model.safetensors");
    text += std::string(name) + " " + std::to_string(std::hash<std::string>()(weights)) + "\n";
  }
  return text;
}

TEST(TrainCommand, SaysWhatItFoundAndDid) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch, true);
  const Ended ended = run_program(words(scratch, data, "run", {"--json", "--val", "0"}));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("9 pictures"));
  EXPECT_THAT(ended.err, HasSubstr("left out: broken.png: "));
  const Json json = json_of(ended);
  EXPECT_EQ(json["schema"], "paligemma.train/1");
  EXPECT_EQ(json["step"], 40);
  EXPECT_EQ(json["stopped"], Json());
  const Ended again = run_program(words(scratch, data, "run"));
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("Try: --resume"));
}

TEST(TrainCommand, ListsWhatIsWrongWithTheData) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch);
  scratch.write("data/train.jsonl", scratch.read("data/train.jsonl") +
                                        R"({"image":"lost.png","prefix":"caption en","suffix":"nothing"})"
                                        "\n");
  const Ended ended = run_program(words(scratch, data, "run"));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("1 unreadable: listed in " + scratch.path("run/problems.txt")));
  EXPECT_THAT(scratch.read("run/problems.txt"), HasSubstr("lost.png"));
}

// Killed at several moments and gone on with each time: what a run learns that nobody disturbed.
TEST(TrainCommand, GoesOnAfterItWasKilled) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch);
  const std::vector<std::string> more{"--save-every", "3", "-q"};
  EXPECT_EQ(run_program(words(scratch, data, "whole", more)).code, 0);
  std::vector<std::string> line = words(scratch, data, "parts", more);
  int killed = 0;
  for (int round = 0; round < 3; ++round) {
    std::error_code none;
    const fs::path last = scratch.path("parts/last");
    const fs::path before = fs::read_symlink(last, none);
    int left = 7 * round;
    killed += run_program(line, {.meanwhile =
                                     [&](pid_t child) {
                                       std::error_code none;
                                       const fs::path now = fs::read_symlink(last, none);
                                       if (!none && now != before && left-- == 0) kill(child, SIGKILL);
                                     }})
                  .code == 128 + SIGKILL;
    line = {"train", "--resume", scratch.path("parts"), "-t", "1", "-q"};
  }
  EXPECT_GT(killed, 0);
  const Ended ended = run_program(line);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(learnt(scratch, "parts"), learnt(scratch, "whole"));
}

TEST(TrainCommand, EndsInOrderWhenItIsInterrupted) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch);
  EXPECT_EQ(run_program(words(scratch, data, "whole", {"-q"})).code, 0);
  for (const std::size_t lines : {0, 8, 25}) {  // of the log, that are there
    const std::string parts = "parts" + std::to_string(lines);
    bool sent = false;
    const Ended ended = run_program(words(scratch, data, parts), {.meanwhile = [&](pid_t child) {
                                      if (sent || !fs::exists(scratch.path(parts + "/log.jsonl"))) return;
                                      if (lines_of(scratch.read(parts + "/log.jsonl")).size() < lines) return;
                                      sent = kill(child, SIGINT) == 0;
                                    }});
    EXPECT_EQ(ended.code, 130) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("Try: --resume"));
    EXPECT_EQ(run_program({"train", "--resume", scratch.path(parts), "-q"}).code, 0);
    EXPECT_EQ(learnt(scratch, parts), learnt(scratch, "whole"));
  }
}

TEST(TrainCommand, AFullDiskLeavesTheLastGoodState) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch);
  const std::vector<std::string> more{"--save-every", "3", "-q"};
  EXPECT_EQ(run_program(words(scratch, data, "whole", more)).code, 0);
  const fs::path last = scratch.path("parts/last");
  run_program(words(scratch, data, "parts", more), {.meanwhile = [&](pid_t child) {
                std::error_code none;
                if (fs::is_symlink(last, none)) kill(child, SIGKILL);
              }});
  const fs::path good = fs::read_symlink(last);
  constexpr std::size_t kRoom = 60000;  // for the log, not for weights
  ASSERT_GT(fs::file_size(last / "adapter_model.safetensors"), kRoom);
  const Ended full = run_program({"train", "--resume", scratch.path("parts")}, {.in_child = with_files_up_to(kRoom)});
  EXPECT_EQ(full.code, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write"));
  EXPECT_EQ(fs::read_symlink(last), good);
  EXPECT_EQ(run_program({"train", "--resume", scratch.path("parts"), "-q"}).code, 0);
  EXPECT_EQ(learnt(scratch, "parts"), learnt(scratch, "whole"));
}

TEST(TrainCommand, EvaluatesAnAdapter) {
  const Scratch scratch;
  const std::string data = caption_rows(scratch);
  ASSERT_EQ(run_program(words(scratch, data, "run", {"-q"})).code, 0);
  const Ended ended = run_program({"eval", data, "--adapter", scratch.path("run/best"), "--max-tokens", "4", "--json",
                                   "-o", scratch.path("results")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(json_of(ended)["examples"], 8);
  EXPECT_EQ(lines_of(scratch.read("results/predictions.jsonl")).size(), 8u);
  const Ended judged =
      run_program({"eval", data, "--predictions", scratch.path("results/predictions.jsonl"), "--json"});
  EXPECT_EQ(json_of(judged)["metrics"], json_of(ended)["metrics"]);
}

}  // namespace
}  // namespace paligemma::test
