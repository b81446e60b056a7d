// What the program prints, writes and returns. Answers of the embedded model are those that transformers gives
// (models/pocket, float32, greedy).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <regex>
#include <sstream>

#include "child.h"
#include "io/json.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kBeachCaption = "a cow, a lion and a sign on the beach\n";
constexpr const char* kCityCaption = "a bicycle, a plane, a tiger and a sign in the city\n";

void expect_out(const std::vector<std::string>& words, const std::string& out, const Setting& setting = {}) {
  const Ended ended = run_program(words, setting);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, out);
  EXPECT_EQ(ended.err, "");
}

// As scene 0 of seed 27466203 says, at 448 pixels.
constexpr std::array<double, 4> kCow{60, 110, 183, 215};
void expect_cow(const std::vector<double>& box) {
  ASSERT_EQ(box.size(), kCow.size());
  for (std::size_t i = 0; i < kCow.size(); ++i) EXPECT_NEAR(box[i], kCow[i], 12) << i;
}

// A line of requests with its own settings is what the command line gives with the same ones.
TEST(Program, ChoosesTokensAsTold) {
  const Scratch scratch;
  const std::string start = R"({"image":")" + kBeach + R"(","prompt":"caption en",)";
  scratch.write("q.jsonl", start + R"("temperature":3,"seed":5})" + "\n" + start + R"("temperature":3,"seed":6})" +
                               "\n" + start + R"("beams":3})" + "\n");
  const std::vector<std::string> all = lines_of(run_program({"run", "--requests", scratch.path("q.jsonl")}).out);
  ASSERT_EQ(all.size(), 3u);
  const auto alone = [](std::vector<std::string> settings) {
    settings.insert(settings.begin(), {"run", "caption en", kBeach});
    return kBeach + "\t" + lines_of(run_program(settings).out).at(0);
  };
  EXPECT_EQ(all[0], alone({"--temperature", "3", "--seed", "5"}));
  EXPECT_EQ(all[1], alone({"--temperature", "3", "--seed", "6"}));
  EXPECT_EQ(all[2], alone({"--beams", "3"}));
  EXPECT_NE(all[0], all[1]);
  expect_out({"caption", kBeach, "--numerics", "bv", "--window", "hf", "--resize", "keras"}, kBeachCaption);
}

// Golden answers of PEFT, cut after four tokens.
TEST(Program, AnswersWithAdapters) {
  const std::string golden = std::string(GOLDEN_DIR) + "/", lora = golden + "lora/";
  const std::string picture = golden + "pictures/astronaut.jpg";
  const std::vector<std::string> options = {
      "-m", golden + "models/pg2", "--compute",    "f32",       "--exif",          "ignore", "-q", "--max-tokens",
      "4",  "--adapter",           lora + "plain", "--adapter", lora + "projector"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), options.begin(), options.end());
    return words;
  };
  const std::string plain = "<loc0572><loc1012><loc1012><loc1012>\n";
  const std::string projector = "<loc0289><loc0289><loc0289><loc0289>\n";
  expect_out(with({"run", "caption en", picture}), plain);

  const Scratch scratch;
  const std::string line = "{\"image\":\"" + picture + "\",\"prompt\":\"caption en\"";
  const std::string file =
      scratch.write("q.jsonl", line + ",\"adapter\":\"projector\"}\n" + line + "}\n" + line + ",\"adapter\":null}\n");
  const Ended ended = run_program(with({"run", "--requests", file}));
  EXPECT_EQ(ended.code, 0) << ended.err;
  const std::vector<std::string> lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0] + "\n", picture + "\t" + projector);
  EXPECT_EQ(lines[1] + "\n", picture + "\t" + plain);
  EXPECT_THAT(lines[2], Not(HasSubstr("<loc0572><loc1012>")));

  const Ended unknown =
      run_program(with({"run", "--requests", scratch.write("r.jsonl", line + ",\"adapter\":\"x\"}")}));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("r.jsonl line 1"), HasSubstr("no such adapter: x")));
  const Ended missing = run_program({"caption", kBeach, "--adapter", scratch.path("none")});
  EXPECT_EQ(missing.code, 4);
  EXPECT_THAT(missing.err, HasSubstr("none"));
}

TEST(Program, AnswersOnePicturePlainly) {
  expect_out({"caption", kBeach}, kBeachCaption);
  expect_out({"caption", "--lang", "ko", kBeach}, "해변에 소와 사자와 표지판이 있다\n");
  expect_out({"ocr", kCity}, "TAXI\n");
  expect_out({"ask", kBeach, "where", "is the", "cow?"}, "beach\n");
  expect_out({"run", "answer en is there a panda?", kBeach}, "no\n");
  expect_out({"run", "caption en", kBeach, "--temperature", "0", "--beams", "1", "--numerics", "hf", "--device", "cpu",
              "--window", "none", "--repetition-penalty", "1", "--offline"},
             kBeachCaption);
  expect_out({"caption", "--length", "long", kCity},
             "a picture of a city. on the left there is a bicycle and a plane. in the middle there is a tiger. a green "
             "sign says TAXI.\n");
}

TEST(Program, AnswersSeveralPicturesWithTheirPaths) {
  expect_out({"caption", kBeach, kCity}, kBeach + "\t" + kBeachCaption + kCity + "\t" + kCityCaption);
  expect_out({"caption", kPictures + "[bc]*.png"}, kBeach + "\t" + kBeachCaption + kCity + "\t" + kCityCaption);
  const Ended folder = run_program({"ocr", kPictures});
  EXPECT_EQ(folder.code, 0);
  EXPECT_EQ(lines_of(folder.out).size(), 8u);
}

TEST(Program, ReadsStdin) {
  const std::string bytes = Scratch::bytes_of(kBeach);
  expect_out({"caption", "-"}, kBeachCaption, {.in = bytes});
  expect_out({"caption", "/dev/stdin"}, kBeachCaption, {.in = bytes});
  EXPECT_EQ(run_program({"caption", "-"}).code, 3);
}

TEST(Program, WordsMayNameCommandsAndLookLikeOptions) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.folder() / "ocr");
  std::filesystem::copy(kBeach, scratch.folder() / "ocr/-beach.png");
  const std::string folder = scratch.folder().string();
  expect_out({"caption", "ocr"}, kBeachCaption, {.folder = folder});
  expect_out({"caption", "--", "-beach.png"}, kBeachCaption, {.folder = folder + "/ocr"});
  EXPECT_EQ(run_program({"ask", kBeach, "[where,", "run]", "-5"}).code, 0);
}

TEST(Program, PrintsObjectsOneALine) {
  const Ended detect = run_program({"detect", "cow, lion", kBeach});
  EXPECT_EQ(detect.code, 0);
  const std::vector<std::string> found = lines_of(detect.out);
  ASSERT_EQ(found.size(), 2u) << detect.out;
  EXPECT_THAT(found[0], MatchesRegex("cow\t0\\.[0-9]+(\t[0-9]+\\.[0-9])+"));
  EXPECT_THAT(found[1], MatchesRegex("lion\t0\\.[0-9]+(\t[0-9]+\\.[0-9])+"));
  std::istringstream numbers(found[0].substr(found[0].find('\t')));
  double score = 0, x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  numbers >> score >> x1 >> y1 >> x2 >> y2;
  expect_cow({x1, y1, x2, y2});
  expect_out({"detect", "truck", kPictures + "desert.png", "--suffix", " ", "--max-tokens", "0", "-q"},
             "");  // nothing is a result
}

TEST(Program, PrintsJson) {
  const Ended one = run_program({"segment", "cow", kBeach, "--json", "--timings", "--logprobs"});
  EXPECT_EQ(one.code, 0);
  const Json result = json_of(one);
  EXPECT_EQ(result.at("schema"), "paligemma.result/1");
  EXPECT_EQ(result.at("prompt"), "segment cow");
  EXPECT_EQ(result.at("image").at("width"), 448);
  ASSERT_EQ(result.at("objects").size(), 1u);
  expect_cow(result.at("objects")[0].at("box").get<std::vector<double>>());
  for (std::size_t i = 0; i < 4; ++i)  // y1 x1 y2 x2, of 1023
    EXPECT_NEAR(result.at("objects")[0].at("loc")[i].get<double>() * 448 / 1023,
                result.at("objects")[0].at("box")[i ^ 1].get<double>(), 1e-9);
  EXPECT_EQ(result.at("objects")[0].at("mask").at("size"), Json({448, 448}));
  EXPECT_EQ(result.at("tokens").size(), 22u);
  EXPECT_GT(result.at("timings_ms").at("total").get<double>(), 0);

  const Json several = json_of(run_program({"caption", kBeach, kCity, "--json"}));
  ASSERT_EQ(several.size(), 2u);
  EXPECT_EQ(several[1].at("answer").get<std::string>() + "\n", kCityCaption);
  EXPECT_FALSE(several[0].contains("tokens") || several[0].contains("timings_ms"));

  const std::vector<std::string> lines = lines_of(run_program({"caption", kBeach, kCity, "--jsonl"}).out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(parse_json(lines[0], "line", ErrorKind::failure), several[0]);
}

TEST(Program, ScoresAForcedAnswer) {
  const Ended ended =
      run_program({"caption", kBeach, "--suffix", "a cow", "--max-tokens", "0", "--logprobs", "--json"});
  EXPECT_EQ(ended.code, 0);
  const Json result = json_of(ended);
  EXPECT_EQ(result.at("answer"), "a cow");
  ASSERT_EQ(result.at("tokens").size(), 3u);
  EXPECT_EQ(result.at("tokens").back().at("id"), 1);
  EXPECT_EQ(result.at("tokens").back().at("text"), "<eos>");
}

TEST(Program, APictureThatFailsLeavesItsPlaceAndTheOthersGoOn) {
  const Scratch scratch;
  const std::string bad = scratch.write("bad.png", "no picture");
  const std::string cut = scratch.write("cut.png", Scratch::bytes_of(kBeach).substr(0, 3000));
  const Ended text = run_program({"caption", kBeach, bad, kCity});
  EXPECT_EQ(text.code, 3);
  EXPECT_EQ(text.out, kBeach + "\t" + kBeachCaption + kCity + "\t" + kCityCaption);
  EXPECT_THAT(text.err, AllOf(StartsWith("paligemma: "), HasSubstr(bad)));

  const Ended json = run_program({"caption", kBeach, bad, cut, "--json"});
  EXPECT_EQ(json.code, 3);
  const Json results = json_of(json);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0].contains("answer"));
  EXPECT_EQ(results[1].at("image").at("path"), bad);
  EXPECT_EQ(results[1].at("error").at("code"), "image_decode");
  EXPECT_EQ(results[2].at("error").at("code"), "image_decode");

  EXPECT_EQ(run_program({"ocr", bad}).code, 3);
  EXPECT_EQ(json_of(run_program({"ocr", bad, "--json"})).at("error").at("code"), "image_decode");
  EXPECT_EQ(json_of(run_program({"ocr", kBeach, "--json", "--max-pixels", "1000"})).at("error").at("code"),
            "image_too_large");
  EXPECT_EQ(run_program({"ocr", "@" + scratch.write("list.txt", kCity + "\nnone.png\n")}).code, 3);
  EXPECT_EQ(run_program({"ocr", "@" + scratch.write("folder.txt", ".\n")}).code, 3);  // there, and not to be read
}

TEST(Program, RunsRequests) {
  const Scratch scratch;
  std::filesystem::copy(kBeach, scratch.folder() / "b.png");
  scratch.write("q.jsonl", R"({"image":"b.png","prompt":"caption en"})"
                           "\n"
                           R"({"image":"none.png","prompt":"ocr"})"
                           "\n"
                           R"({"image":"b.png","prompt":"answer en where is the cow?"})"
                           "\n"
                           R"({"images":["b.png"],"prompt":"caption en","suffix":"a cow","max_tokens":0})"
                           "\n");
  const Ended ended = run_program({"run", "--requests", scratch.path("q.jsonl"), "--jsonl"});
  EXPECT_EQ(ended.code, 3);
  const std::vector<std::string> lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("a cow, a lion and a sign on the beach"));
  EXPECT_THAT(lines[1], HasSubstr("\"error\""));
  EXPECT_THAT(lines[2], HasSubstr("\"answer\":\"beach\""));
  EXPECT_THAT(lines[3], HasSubstr("\"answer\":\"a cow\""));
}

TEST(Program, GivesPicturesTogether) {
  const Ended ended = run_program({"run", "caption en", "--together", kBeach, kCity, "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(json_of(ended).at("usage").at("prompt_tokens"), 2 * 64 + 4);  // two pictures, bos, two words, newline
}

TEST(Program, DrawsAndSaysWhereMasksAre) {
  const Scratch scratch;
  const Ended file = run_program({"detect", "cow", kBeach, "-o", scratch.path("a.svg")});
  EXPECT_EQ(file.code, 0) << file.err;
  EXPECT_THAT(scratch.read("a.svg"), HasSubstr("<svg"));
  const Ended folder = run_program({"segment", "cow", kBeach, "-o", scratch.path("out/")});
  EXPECT_EQ(folder.code, 0) << folder.err;
  EXPECT_THAT(folder.out, EndsWith("\t" + scratch.path("out/beach.mask-1.png") + "\n"));
  EXPECT_THAT(scratch.read("out/beach.png"), StartsWith("\x89PNG"));
  EXPECT_THAT(scratch.read("out/beach.mask-1.png"), StartsWith("\x89PNG"));
  EXPECT_EQ(run_program({"segment", "cow", kBeach, "-o", scratch.path("out/"), "--force"}).code, 0);
}

TEST(Program, AsksForTheQuestion) {
  expect_out({"question", "beach", kBeach}, run_program({"run", "question en beach", kBeach}).out);
  const Json result = json_of(run_program({"question", "--lang", "ko", "해변\n", kBeach, "--json"}));
  EXPECT_EQ(result.at("task"), "question");
  EXPECT_EQ(result.at("prompt"), "question ko 해변");
  EXPECT_TRUE(result.at("answer").is_string());
}

// The picture has 448 x 448 pixels: of 1023 60 -> 137.01, 110 -> 251.18, 183.5 -> 419.02, 215.5 -> 492.09.
TEST(Program, CaptionsABox) {
  const std::string box = "60,110,183.5,215.5";
  expect_out({"caption", "--box", box, kBeach}, "cow\n");
  expect_out({"run", "caption <loc0251><loc0137><loc0492><loc0419>", kBeach}, "cow\n");
  const Json result = json_of(run_program({"caption", kBeach, "--box", box, "--json"}));
  EXPECT_EQ(result.at("task"), "caption");
  EXPECT_EQ(result.at("prompt"), "caption <loc0251><loc0137><loc0492><loc0419>");
  EXPECT_EQ(result.at("usage").at("prompt_tokens"), 64 + 1 + 1 + 1 + 4 + 1);  // bos, the word, a space, locs, newline
  // 1024: 137.14, 251.43, 419.43, 492.57
  EXPECT_EQ(json_of(run_program({"caption", kBeach, "--box", box, "--box-divisor", "1024", "--json"})).at("prompt"),
            "caption <loc0251><loc0137><loc0493><loc0419>");

  const Json all = json_of(run_program({"caption", kBeach, kCity, "--box", box, "--box", "0,0,448,448", "--json"}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].at("image").at("path"), kBeach);
  EXPECT_EQ(all[1].at("prompt"), "caption <loc0000><loc0000><loc1023><loc1023>");
  EXPECT_EQ(all[2].at("image").at("path"), kCity);
  EXPECT_EQ(all[2].at("prompt"), result.at("prompt"));
  // What comes from stdin can't be read for each box.
  const Json piped = json_of(
      run_program({"caption", "-", "--box", box, "--box", "0,0,448,448", "--json"}, {.in = Scratch::bytes_of(kBeach)}));
  ASSERT_EQ(piped.size(), 2u);
  EXPECT_EQ(piped[0].at("answer"), "cow");
  EXPECT_EQ(piped[1].at("image").at("width"), 448);
  const Ended broken = run_program({"caption", "-", "--box", box, "--box", "0,0,1,1"}, {.in = "GIF89a"});
  EXPECT_EQ(broken.code, 3);
  EXPECT_EQ(lines_of(broken.err).size(), 2u);
  EXPECT_EQ(lines_of(broken.err)[0], lines_of(broken.err)[1]);
}

// The embedded model is sure enough of what a sign says to read it in 8 and 4 bits too.
TEST(Program, HoldsWeightsAsTold) {
  for (const std::string weights : {"f32", "bf16", "q8", "q4"}) {
    const Ended ended = run_program({"ocr", kBeach, "--weights", weights, "-v"});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, "STOP\n");
    EXPECT_THAT(ended.err, HasSubstr(weights));
  }
}

TEST(Program, SaysMoreOnStderrWhenAsked) {
  EXPECT_THAT(run_program({"ocr", kCity, "-v"}).err, AllOf(HasSubstr("pocket"), HasSubstr("prompt \"ocr\"")));
  EXPECT_THAT(run_program({"ocr", kCity, "--timings"}).err, HasSubstr("prefill"));
  EXPECT_THAT(run_program({"ocr", kCity, "--logprobs"}).err, HasSubstr(" T\n"));
  EXPECT_THAT(run_program({"run", "ocr\n", kCity}).err, AllOf(HasSubstr("warning: "), HasSubstr("trailing_newline")));
  EXPECT_THAT(run_program({"run", "ocr\n", kCity, "-q"}).err, IsEmpty());
  EXPECT_THAT(run_program({"run", "ocr\n", kCity, "--color", "always"}).err, HasSubstr("\x1b["));
  EXPECT_THAT(run_program({"run", "ocr\n", kCity, "--color", "auto"}).err, Not(HasSubstr("\x1b")));
}

TEST(Program, WarnsOfAPictureInAQuestion) {
  const Ended ended = run_program({"ask", kBeach, kCity, "where is this?"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("warning: "), HasSubstr(kCity)));
}

TEST(Program, ModelTroubleIsExitFour) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.folder() / "empty");
  const std::string junk = scratch.write("junk.json", "{");
  EXPECT_EQ(run_program({"ocr", kBeach, "-m", scratch.path("none")}).code, 4);
  EXPECT_EQ(run_program({"ocr", kBeach, "-m", scratch.path("empty")}).code, 4);
  EXPECT_EQ(run_program({"ocr", kBeach, "--tokenizer", junk}).code, 4);
  EXPECT_EQ(run_program({"ocr", kBeach, "--codec", scratch.path("none.npz")}).code, 4);
  EXPECT_EQ(run_program({"inspect", scratch.path("empty")}).code, 4);
  EXPECT_EQ(run_program({"ocr", kBeach}, {.environment = {"PALIGEMMA_MODEL=/nowhere"}}).code, 4);
  expect_out({"ocr", kCity, "-m", POCKET_DIR}, "TAXI\n", {.environment = {"PALIGEMMA_MODEL=/nowhere"}});
}

TEST(Program, SaysWhyATokenizerWithoutLocTokensFindsNothing) {
  const Scratch scratch;
  const std::string whole = Scratch::bytes_of(std::filesystem::path(POCKET_DIR) / "tokenizer.json");
  const auto without = [&](const std::string& kind) {
    return scratch.write(kind + ".json", std::regex_replace(whole, std::regex("<" + kind + "([0-9])"), "<word$1"));
  };
  const std::string no_loc = without("loc"), no_seg = without("seg");
  const auto expect_refused = [](const Ended& ended, const std::string& kind) {
    EXPECT_EQ(ended.code, 4);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("<" + kind + "> tokens"), HasSubstr("Try: ")));
  };
  expect_refused(run_program({"caption", "--box", "0,0,9,9", kBeach, "--tokenizer", no_loc}), "loc");
  expect_refused(run_program({"detect", "cow", kBeach, "--tokenizer", no_loc}), "loc");
  expect_refused(run_program({"segment", "cow", kBeach, "--tokenizer", no_loc}), "loc");
  expect_refused(run_program({"segment", "cow", kBeach, "--tokenizer", no_seg}), "seg");
  EXPECT_EQ(run_program({"detect", "cow", kBeach, "--tokenizer", no_seg}).code, 0);
  expect_out({"ocr", kCity, "--tokenizer", no_loc}, "TAXI\n");
}

TEST(Program, ResultsThatCannotBeWrittenAreExitOne) {
  const Scratch scratch;
  for (const char* form : {"--color=never", "--json", "--jsonl"}) {
    const Ended full = run_program({"caption", kBeach, kCity, form}, {.out = "/dev/full"});
    EXPECT_EQ(full.code, 1);
    EXPECT_THAT(full.err, StartsWith("paligemma: cannot write the result: stdout: "));
    const Ended closed = run_program({"caption", kBeach, form, "-o", scratch.path("a.png"), "--force"}, {.out = "-"});
    EXPECT_EQ(closed.code, 1);
    EXPECT_THAT(closed.err, StartsWith("paligemma: cannot write the result: stdout: "));
  }
  EXPECT_EQ(run_program({"detect", "cow", kBeach, "-o", "/dev/null/none/a.png"}).code, 1);
  EXPECT_EQ(run_program({"version"}, {.out = "/dev/full"}).code, 1);
  EXPECT_EQ(run_program({"--help"}, {.out = "/dev/full"}).code, 1);
}

TEST(Program, AClosedPipeIsQuiet) {
  const Ended ended = run_program({"caption", kBeach, kCity}, {.out = "|"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "");
}

// A list that takes long enough to be interrupted.
std::string long_list(const Scratch& scratch) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += kBeach + "\n";
  return "@" + scratch.write("list.txt", list);
}

TEST(Program, AnInterruptFinishesThePictureAndFlushes) {
  const Scratch scratch;
  const Ended ended = run_program({"caption", long_list(scratch), "--json"},
                                  {.at_first_output = [](pid_t child) { kill(child, SIGINT); }});
  EXPECT_EQ(ended.code, 130);
  EXPECT_EQ(ended.err, "");
  const Json results = json_of(ended);  // the array is closed
  EXPECT_GE(results.size(), 1u);
  EXPECT_LT(results.size(), 5000u);
  EXPECT_EQ(results.back().at("answer").get<std::string>() + "\n", kBeachCaption);
}

TEST(Program, TerminationStopsAndFlushes) {
  const Scratch scratch;
  const Ended ended = run_program({"caption", long_list(scratch), "--jsonl"},
                                  {.at_first_output = [](pid_t child) { kill(child, SIGTERM); }});
  EXPECT_EQ(ended.code, 143);
  EXPECT_THAT(ended.out, EndsWith("}\n"));
  EXPECT_LT(lines_of(ended.out).size(), 5000u);
}

}  // namespace
}  // namespace paligemma::test
