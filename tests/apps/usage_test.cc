// Command lines that can't be obeyed: exit 2, one line on stderr, nothing done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.h"
#include "io/json.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Exit 2 and, on stderr alone, one line with `part`.
void expect_usage(const std::vector<std::string>& words, const std::string& part, const Setting& setting = {}) {
  const Ended ended = run_program(words, setting);
  const std::string command = ::testing::PrintToString(words);
  EXPECT_EQ(ended.code, 2) << command << ended.err;
  EXPECT_EQ(ended.out, "") << command;
  EXPECT_THAT(ended.err, AllOf(StartsWith("paligemma: "), HasSubstr(part), EndsWith("\n"))) << command;
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << command << ended.err;
}

TEST(Usage, UnknownCommandsNameTheNearest) {
  expect_usage({"capton", kBeach}, "unknown command: capton. Try: paligemma caption");
  expect_usage({"sgement", "cow", kBeach}, "Try: paligemma segment");
  expect_usage({"xyzzy"}, "unknown command: xyzzy. Try: paligemma --help");
  expect_usage({"--verison"}, "unknown option: --verison. Try: paligemma --version");
  expect_usage({}, "expected a command");
}

TEST(Usage, UnknownOptionsNameTheNearest) {
  expect_usage({"caption", kBeach, "--max-token", "5"}, "unknown option: --max-token. Try: --max-tokens");
  expect_usage({"caption", "--jsn", kBeach}, "unknown option: --jsn. Try: --json");
  expect_usage({"caption", "--treads=2", kBeach}, "unknown option: --treads. Try: --threads");
  expect_usage({"ocr", "--lang", "en", kBeach}, "unknown option: --lang");
  expect_usage({"caption", kBeach, "-x"}, "unknown option: -x. Try: paligemma caption --help");
  expect_usage({"version", "--models"}, "unknown option: --models");
}

TEST(Usage, BadValuesSayWhatIsExpected) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--length", "medium"}, "--length: expected short, long or alt, got medium"},
      {{"--compute", "fp32"}, "--compute: expected f32, bf16 or int8, got fp32. Try: --compute f32"},
      {{"--weights", "q5"}, "--weights: expected auto, f32, bf16, q8 or q4, got q5"},
      {{"--threads", "0"}, "--threads: expected a whole number from 1 to 4096, got 0"},
      {{"-t", "two"}, "--threads: expected a whole number from 1 to 4096, got two"},
      {{"-t2x"}, "--threads: expected a whole number from 1 to 4096, got 2x"},
      {{"--max-tokens", "-1"}, "--max-tokens: expected"},
      {{"--max-tokens", "99999999999999999999"}, "--max-tokens: expected"},
      {{"--max-pixels", "0"}, "--max-pixels: expected"},
      {{"--exif", "yes"}, "--exif: expected apply or ignore, got yes"},
      {{"--box-divisor", "1000"}, "--box-divisor: expected 1023 or 1024, got 1000"},
      {{"--mask-profile", "x"}, "--mask-profile: expected standard or evaluator, got x"},
      {{"--resize", "bicubic"},
       "--resize: expected pillow, pillow-12, tf-bilinear, tf-antialias or keras, got bicubic"},
      {{"--numerics", "jax"}, "--numerics: expected hf or bv, got jax"},
      {{"--window", "4096"}, "--window: expected none or hf, got 4096"},
      {{"--temperature", "-1"}, "--temperature: expected a number from 0 to 100, got -1"},
      {{"--temperature", "nan"}, "--temperature: expected a number from 0 to 100, got nan"},
      {{"--temperature", "0.5x"}, "--temperature: expected a number from 0 to 100, got 0.5x"},
      {{"--top-k", "1.5"}, "--top-k: expected a whole number from 0 to 1048576, got 1.5"},
      {{"--top-p", "1.1"}, "--top-p: expected a number from 0 to 1, got 1.1"},
      {{"--min-p", "2"}, "--min-p: expected a number from 0 to 1, got 2"},
      {{"--repetition-penalty", "0"}, "--repetition-penalty: expected a number from 0.01 to 100, got 0"},
      {{"--seed", "-1"}, "--seed: expected a whole number from 0 to 9223372036854775807, got -1"},
      {{"--beams", "0"}, "--beams: expected a whole number from 1 to 64, got 0"},
      {{"--beams", "2", "--top-p", "0.9"}, "2 beams: expected no temperature"},
      {{"--beam-score", "max"}, "--beam-score: expected mean or sum, got max"},
      {{"--length-penalty", "11"}, "--length-penalty: expected a number from -10 to 10, got 11"},
      {{"--beams", "2", "--beam-score", "sum", "--length-penalty", "2"}, "mean"},
      {{"--final-softcap", "1"}, "--final-softcap: expected on or off, got 1"},
      {{"--attention-softcap", "none"}, "--attention-softcap: expected on or off, got none"},
      {{"--color", "red"}, "--color: expected auto, always or never, got red"},
      {{"--lang", "e n"}, "language"},
      {{"--threads"}, "--threads: expected a value, got none"},
  };
  for (const auto& [words, part] : cases) {
    std::vector<std::string> all = {"caption", kBeach};
    all.insert(all.end(), words.begin(), words.end());
    expect_usage(all, part);
  }
}

TEST(Usage, Int8WantsWeightsInBlocks) {
  expect_usage({"ocr", kBeach, "--compute", "int8", "--weights", "bf16"},
               "int8 computes with weights of 8 or 4 bits: expected q8, q4 or auto, got bf16");
}

TEST(Usage, BadValuesOfBench) {
  expect_usage({"bench", "--batch", "0"}, "--batch: expected a whole number from 1 to 4096, got 0");
  expect_usage({"bench", "--repetitions", "none"}, "--repetitions: expected a whole number from 1 to 4096, got none");
  expect_usage({"bench", "--max-tokens", "1"}, "--max-tokens: expected a whole number from 2 to 4096, got 1");
  expect_usage({"bench", "--prompt-tokens", "0"}, "--prompt-tokens: expected");
  expect_usage({"bench", "--seconds", "-1"}, "--seconds: expected a number from 0 to");
  expect_usage({"bench", "--train", "--rank", "0"}, "--rank: expected a whole number from 1 to 4096, got 0");
  expect_usage({"bench", "--train", "--mode", "all"}, "--mode: expected lora, qlora or full, got all");
  expect_usage({"bench", "--checkpoint", "on"}, "Try: --train");
}

TEST(Usage, WhatLaterVersionsBringIsNotAvailable) {
  for (const char* command : {"label", "serve", "pull", "list", "completions"}) {
    expect_usage({command, "--anything"}, join("not available in this version: paligemma ", command));
  }
  const std::pair<const char*, const char*> options[] = {{"--device", "cuda"}, {"--device", "cuda:1"}};
  for (const auto& [option, value] : options) {
    expect_usage({"ocr", kBeach, option, value}, join("not available in this version: ", option, " ", value));
  }
  expect_usage({"ocr", kBeach, "-m", "model.weights.h5"}, "not available in this version");
}

TEST(Usage, WordsThatAreMissingOrTooMany) {
  expect_usage({"caption"}, "caption: expected IMAGE..., got less");
  expect_usage({"ask", kBeach}, "ask: expected IMAGE QUESTION..., got less");
  expect_usage({"detect", "cow"}, "detect: expected LABELS IMAGE..., got less");
  expect_usage({"run", "caption en"}, "run: expected PROMPT IMAGE...");
  expect_usage({"version", "now"}, "version: expected nothing more, got now too");
  expect_usage({"demo", "a", "b"}, "got b too");
}

TEST(Usage, PicturesThatAreNotThereStopEverything) {
  expect_usage({"caption", kBeach, "nowhere.png"}, "nowhere.png");
  expect_usage({"caption", "no*where.png"}, "no*where.png");
  expect_usage({"detect", kBeach, "cow"}, "cannot find the picture: cow");
}

TEST(Usage, LabelsAndQuestionsAreData) {
  expect_usage({"detect", "<loc0001>", kBeach}, "use run");
  expect_usage({"detect", "cow ; a<seg001>", kBeach}, "use run");
  expect_usage({"segment", "cow\n", "x.png"}, "x.png");
  expect_usage({"segment", "c\x01ow", kBeach}, "use run");
  expect_usage({"ask", kBeach, "where", "<eos>?"}, "use run");
  expect_usage({"question", "a <loc0001>", kBeach}, "use run");
  expect_usage({"question", "<seg001>", kBeach}, "use run");
  expect_usage({"question", "\n", kBeach}, "expected the text of the answer, got none");
  expect_usage({"detect", " ; ", kBeach}, "label");
}

TEST(Usage, PicturesStandInThePromptAlone) {
  const std::string npz = std::string(GOLDEN_DIR) + "/npz/pg2/model.npz";  // its embedding has no row for <image>
  expect_usage({"ocr", kBeach, "-m", npz, "--suffix", "<image>"}, "expected text, got <image>");
  expect_usage({"run", "ocr", kBeach, "--suffix", "a<image>"}, "expected text, got <image>");
  expect_usage({"run", "<image><image>ocr", kBeach}, "expected <image> in the prompt never or 1 times, got 2");
}

TEST(Usage, BoxesLieInsideThePicture) {
  const char* picture = "inside 448 x 448 pixels, got ";
  for (const char* box :
       {"-1,0,10,10", "0,0,448.5,10", "0,0,10,1e9", "10,0,10,10", "0,20,10,10", "nan,0,10,10", "0,0,inf,10"})
    expect_usage({"caption", "--box", box, kBeach}, picture);
  for (const char* box :
       {"", "1", "1,2,3", "1,2,3,4,5", "1,2,3,", "1 2 3 4", "a,b,c,d", "1,2,3,4x", "0x1,2,3,4", ",,,"})
    expect_usage({"caption", "--box", box, kBeach},
                 join("--box: expected x1,y1,x2,y2 in pixels of the upright picture, got ", box));
  const std::string smaller = std::string(POCKET_DIR) + "/photograph.png";
  expect_usage({"caption", kBeach, "--box", "0,0,9,9", "--box", "0,0,999,9", "-m", "no-model"}, "got 0,0,999,9");
  expect_usage({"caption", kBeach, smaller, "--box", "0,0,448,448", "-m", "no-model"}, "photograph.png: expected x1");
  expect_usage({"caption", kBeach, "--box"}, "--box: expected a value");
  expect_usage({"caption", "--box", "0,0,9,9", "--lang", "ko", kBeach}, "no language and no length");
  expect_usage({"caption", "--box", "0,0,9,9", "--length", "long", kBeach}, "no language and no length");
  expect_usage({"ocr", "--box", "0,0,9,9", kBeach}, "unknown option: --box");
}

TEST(Usage, FormatsOfOtherTools) {
  const Scratch scratch;
  scratch.write("a/beach.xml", "kept");
  expect_usage({"detect", "cow", kBeach, "--format", "pascal"},
               "--format: expected coco, yolo, voc, labelme, csv or jsonl, got pascal");
  expect_usage({"detect", "cow", kBeach, "--format", "yolo"},
               "--format yolo: expected -o with a folder's name, got none");
  expect_usage({"detect", "cow", kBeach, "--format", "coco", "-o", scratch.path("a.png")}, "expected .json");
  expect_usage({"detect", "cow", kBeach, "--format", "coco", "-v", "-o", scratch.path("a.txt")}, "expected .json");
  expect_usage({"detect", "cow", kBeach, kBeach, "--format", "voc", "-o", scratch.path("b/")},
               "one picture for beach.xml");
  expect_usage({"detect", "cow", kBeach, "--format", "voc", "-o", scratch.path("a")}, "--force");
  expect_usage({"caption", kBeach, "--format", "coco"}, "unknown option: --format");
  EXPECT_EQ(run_program({"detect", "cow", kBeach, "--format", "coco", "--json"}).code, 2);
  EXPECT_EQ(scratch.read("a/beach.xml"), "kept");
}

TEST(Usage, RequestsAreCheckedBeforeAnyWork) {
  const Scratch scratch;
  const std::string good = R"({"image":")" + kBeach + R"(","prompt":"caption en"})";
  scratch.write("bad.jsonl", good + "\n" + R"({"image":"a.png","prompt":"ocr","length":3})" + "\n");
  scratch.write("many.jsonl", good + "\n" + R"({"image":")" + kBeach + R"(","prompt":"<image><image>ocr"})" + "\n");
  scratch.write("good.jsonl", good);
  const Setting there{.folder = scratch.folder().string()};
  expect_usage({"run", "--requests", "bad.jsonl"}, "bad.jsonl line 2", there);
  expect_usage({"run", "--requests", "many.jsonl"}, "many.jsonl line 2", there);
  expect_usage({"run", "--requests", "none.jsonl"}, "none.jsonl", there);
  expect_usage({"run", "--requests", "good.jsonl", "caption en"}, "expected no PROMPT", there);
  expect_usage({"run", "--requests", "good.jsonl", "--together"}, "expected no PROMPT", there);
}

TEST(Usage, OutputThatWouldOverwriteOrHasNoForm) {
  const Scratch scratch;
  scratch.write("out/beach.png", "kept");
  scratch.write("out/results.jsonl", "kept");
  expect_usage({"detect", "cow", kBeach, "-o", scratch.path("out")}, "--force");
  expect_usage({"demo", scratch.path("out")}, "--force");
  expect_usage({"detect", "cow", kBeach, "-o", scratch.path("a.tiff")}, ".tiff");
  expect_usage({"detect", "cow", kBeach, kBeach, "-o", scratch.path("a.png")}, "expected a folder");
  EXPECT_EQ(scratch.read("out/beach.png"), "kept");
}

TEST(Usage, WithJsonTheErrorIsOnStdoutToo) {
  const std::vector<std::string> lines[] = {{"capton", "--json"},
                                            {"caption", "--json", "nowhere.png"},
                                            {"caption", "nowhere.png", "--jsonl"},
                                            {"caption", "--threads", "x", kBeach, "--json"},
                                            {"caption", kBeach, "--json", "--threads"},
                                            {"detect", "<loc0001>", kBeach, "--json"}};
  for (const std::vector<std::string>& words : lines) {
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.code, 2);
    const Json error = parse_json(ended.out, "stdout", ErrorKind::failure).at("error");
    EXPECT_EQ("paligemma: " + error.at("message").get<std::string>() + "\n", ended.err);
    EXPECT_FALSE(error.at("code").get<std::string>().empty());
  }
}

TEST(Usage, ControlCharactersInNamesAreEscaped) { expect_usage({"caption", "a\x1b[31m\nb.png"}, "a\\x1b[31m\\nb.png"); }

TEST(Help, IsThereForEveryCommandWithAnExample) {
  const Ended all = run_program({"--help"});
  EXPECT_EQ(all.code, 0);
  for (const char* command : {"caption", "ocr", "ask", "question", "detect", "segment", "run", "demo", "inspect",
                              "convert", "doctor", "bench", "version"}) {
    EXPECT_THAT(all.out, HasSubstr(join("\n  ", command, " ")));
    const Ended one = run_program({command, "--help"});
    EXPECT_EQ(one.code, 0);
    EXPECT_EQ(one.err, "");
    EXPECT_THAT(one.out, AllOf(StartsWith(join("paligemma ", command)), HasSubstr(join("\n  paligemma ", command))));
    EXPECT_EQ(run_program({"help", command}).out, one.out);
  }
  EXPECT_EQ(run_program({"caption", "--threads", "x", "-h"}).code, 0);
}

TEST(Version, IsPrinted) {
  EXPECT_EQ(run_program({"version"}).out, join("paligemma ", version(), "\n"));
  EXPECT_EQ(run_program({"--version"}).out, join("paligemma ", version(), "\n"));
  EXPECT_EQ(run_program({"version", "--json"}).out, join("{\"version\":\"", version(), "\"}\n"));
}

}  // namespace
}  // namespace paligemma::test
