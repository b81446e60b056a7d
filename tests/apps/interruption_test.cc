// A run over many pictures that is stopped at any moment: what was finished is there, and whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "child.h"
#include "io/json.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

using ::testing::EndsWith;

constexpr std::size_t kManyPictures = 20;

// A folder of pictures that takes long enough to be stopped on the way.
std::string many_pictures(const Scratch& scratch) {
  const fs::path folder = scratch.folder() / "many";
  fs::create_directory(folder);
  for (std::size_t i = 0; i < kManyPictures; ++i)
    fs::create_symlink(fs::path(POCKET_DIR) / "pictures/beach.png", folder / ("p" + std::to_string(i) + ".png"));
  return folder.string();
}

// Sends `signal` after about so many milliseconds.
std::function<void(pid_t)> signal_after(int milliseconds, int signal) {
  return [left = milliseconds, signal](pid_t child) mutable {
    if (left-- == 0) kill(child, signal);
  };
}

// Every file of the folder, read as what its suffix says.
std::size_t count_whole_files(const fs::path& folder) {
  std::size_t count = 0;
  if (!fs::exists(folder)) return 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string suffix = entry.path().extension();
    if (suffix == ".png") {
      EXPECT_EQ(read_picture(entry.path()).width, 448) << entry.path();
    } else if (suffix == ".json") {
      EXPECT_NO_THROW(parse_json(Scratch::bytes_of(entry.path()), "a file", ErrorKind::failure)) << entry.path();
    } else if (suffix == ".xml") {
      EXPECT_THAT(Scratch::bytes_of(entry.path()), EndsWith("</annotation>\n")) << entry.path();
    } else {
      EXPECT_THAT(suffix, ::testing::AnyOf(".txt", ".yaml")) << entry.path();
    }
    ++count;
  }
  return count;
}

std::size_t count_json_lines(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const std::size_t end = text.find('\n', at);
    if (end == text.npos) {
      ADD_FAILURE() << "a line without an end: " << text.substr(at);
      break;
    }
    EXPECT_NO_THROW(parse_json(text.substr(at, end - at), "a line", ErrorKind::failure));
    at = end + 1;
  }
  return count;
}

// Pictures of which -v says that they are done.
std::size_t count_finished(const std::string& err) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = err.find(", prompt \"", at)) != err.npos; ++at) ++count;
  return count;
}

class Interruption : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(, Interruption, ::testing::Values(SIGINT, SIGTERM));

TEST_P(Interruption, KeepsLinesAndDrawings) {
  const Scratch scratch;
  const std::string pictures = many_pictures(scratch);
  int stopped = 0;
  for (int moment = 0; moment < 20; ++moment) {
    const std::string out = scratch.path("out" + std::to_string(moment));
    const Ended ended = run_program({"detect", "cow", pictures, "--jsonl", "-o", out + "/"},
                                    {.meanwhile = signal_after(10 * moment, GetParam())});
    EXPECT_TRUE(ended.code == 0 || ended.code == 128 + GetParam()) << ended.code << ended.err;
    stopped += ended.code != 0;
    const std::size_t lines = count_json_lines(ended.out);
    EXPECT_EQ(count_whole_files(out), lines);
    EXPECT_TRUE(ended.code != 0 || lines == kManyPictures);
  }
  EXPECT_GT(stopped, 0);
}

TEST_P(Interruption, KeepsTheFilesOfOtherTools) {
  const Scratch scratch;
  const std::string pictures = many_pictures(scratch);
  int cut = 0;
  for (int wait = 10; wait < 1500; wait *= 2) {  // whatever the machine's speed, some are on the way
    const Setting setting{.meanwhile = signal_after(wait, GetParam())};
    const std::string place = scratch.path("place" + std::to_string(wait));
    const Ended coco = run_program({"segment", "cow", pictures, "--format", "coco", "-v"}, setting);
    const std::size_t finished = count_finished(coco.err);
    EXPECT_TRUE(coco.code != 0 || finished == kManyPictures);
    if (finished > 0) {
      EXPECT_EQ(json_of(coco).at("images").size(), finished);
    }
    cut += finished > 0 && finished < kManyPictures;
    const Ended voc = run_program({"detect", "cow", pictures, "--format", "voc", "-o", place + "v"}, setting);
    const std::size_t documents = count_whole_files(place + "v");
    EXPECT_TRUE(voc.code != 0 || documents == kManyPictures);
    const Ended yolo = run_program({"segment", "cow", pictures, "--format", "yolo", "-o", place + "y"}, setting);
    const std::size_t files = count_whole_files(place + "y");
    EXPECT_TRUE(files == 0 || fs::exists(place + "y/classes.txt"));
    EXPECT_TRUE(yolo.code != 0 || files == kManyPictures + 2);
    const Ended file = run_program({"detect", "cow", pictures, "--format", "jsonl", "-o", place + ".jsonl"}, setting);
    if (fs::exists(place + ".jsonl")) {
      const std::size_t lines = count_json_lines(Scratch::bytes_of(place + ".jsonl"));
      EXPECT_TRUE(file.code != 0 || lines == kManyPictures);
    }
  }
  EXPECT_GT(cut, 0);
}

TEST(ClosedPipe, KeepsWhatWasDrawn) {
  const Scratch scratch;
  const std::string pictures = many_pictures(scratch);
  for (const std::size_t read : {1, 500, 1500, 4000, 9000}) {
    const std::string out = scratch.path("out" + std::to_string(read));
    const Ended ended = run_program({"detect", "cow", pictures, "--jsonl", "-o", out + "/"}, {.read_at_most = read});
    EXPECT_EQ(ended.code, 1);
    EXPECT_EQ(ended.err, "");
    EXPECT_LT(count_whole_files(out), kManyPictures);
  }
  const Ended coco = run_program({"detect", "cow", pictures, "--format", "coco"}, {.out = "|"});
  EXPECT_EQ(coco.code, 1);
  EXPECT_EQ(coco.err, "");
}

}  // namespace
}  // namespace paligemma::test
