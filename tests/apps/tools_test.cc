// The commands that answer no pictures of the user's: demo, inspect, convert, doctor, bench.
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

TEST(Demo, ShowsEveryTaskAndWritesItsPictures) {
  const Scratch scratch;
  const Ended ended = run_program({"demo", scratch.path("out")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out,
              AllOf(HasSubstr("a cow, a lion and a sign on the beach"), HasSubstr("해변에 소와 사자와 표지판이 있다"),
                    HasSubstr("TAXI"), HasSubstr("segment camel")));
  EXPECT_THAT(ended.err, AllOf(HasSubstr("real photograph"), HasSubstr("index.html")));
  EXPECT_EQ(lines_of(scratch.read("out/results.jsonl")).size(), 99u);
  EXPECT_THAT(scratch.read("out/index.html"), AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("snow.segment.png")));
  for (const char* picture : {"beach.detect.png", "snow.segment.png", "photograph.detect.png"})
    EXPECT_THAT(scratch.read(join("out/", picture)), StartsWith("\x89PNG")) << picture;
  EXPECT_EQ(run_program({"demo", scratch.path("out")}).code, 2);
  const Ended again = run_program({"demo", scratch.path("out"), "--force", "--json", "-q"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(json_of(again).size(), 99u);
  EXPECT_EQ(again.err, "");
}

TEST(Inspect, ShowsTensorsAndMemory) {
  const Ended text = run_program({"inspect"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(StartsWith("pocket: PaliGemma 2, Hugging Face checkpoint, 2,373,504 parameters\n"),
                              HasSubstr("4 heads of 32 (2 for keys and values)"), HasSubstr("\n  --compute bf16: "),
                              HasSubstr("embed_tokens.weight\t2304x128\tbf16\n")));
  const Json json = json_of(run_program({"inspect", POCKET_DIR, "--json"}));
  EXPECT_EQ(json.at("decoder").at("width"), 128);
  EXPECT_EQ(json.at("form"), "hf");
}

TEST(Inspect, ExplainsAnAdapter) {
  const std::string adapter = GOLDEN_DIR "/lora/patterns";
  const Ended text = run_program({"inspect", adapter});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(StartsWith(adapter + ": LoRA adapter for pg2, 19,680 parameters, "),
                              HasSubstr("\nrank 4, alpha 8\nrank_pattern: down_proj = 2, "),
                              HasSubstr("self_attn.q_proj\t3 layers: 0, 2-3\trank 4, alpha 8, factor 2\tf32\t")));
  EXPECT_EQ(json_of(run_program({"inspect", adapter, "--json"})).at("parameters"), 19680);
  const Scratch scratch;
  scratch.write("adapter_config.json", "{}");
  EXPECT_EQ(run_program({"inspect", scratch.folder().string()}).code, 4);
}

TEST(Convert, WritesWhatAnswersAlike) {
  const Scratch scratch;
  const std::string from = GOLDEN_DIR "/models/pg2", tokenizer = from + "/tokenizer.model";
  const std::string npz = scratch.path("m.npz"), folder = scratch.path("new/deep/hf");
  EXPECT_EQ(run_program({"convert", from, npz, "--to", "npz", "-q"}).code, 0);
  const Ended twice = run_program({"convert", from, npz, "--to", "npz"});
  EXPECT_EQ(twice.code, 2);
  EXPECT_THAT(twice.err, HasSubstr("Try: --force"));
  EXPECT_EQ(
      run_program({"convert", npz, folder, "--to", "hf", "--tokenizer", tokenizer, "--shard-bytes", "100000"}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder + "/model.safetensors.index.json"));
  const auto answer = [](const std::string& model) {
    return run_program({"ask", kBeach, "where is the cow?", "--max-tokens", "4", "-m", model});
  };
  const Ended own = answer(from);
  EXPECT_EQ(own.code, 0);
  EXPECT_EQ(answer(folder).out, own.out);
  const Ended alone = answer(npz);
  EXPECT_EQ(alone.code, 4);
  EXPECT_THAT(alone.err, HasSubstr("--tokenizer"));
  EXPECT_EQ(run_program({"inspect", npz}).code, 0);
}

TEST(Convert, SaysWhatStopsIt) {
  const Scratch scratch;
  const std::string out = scratch.path("out");
  const Ended form = run_program({"convert", POCKET_DIR, out});
  EXPECT_EQ(form.code, 2);
  EXPECT_THAT(form.err, HasSubstr("Try: --to hf"));
  EXPECT_EQ(run_program({"convert", scratch.path("none"), out, "--to", "hf"}).code, 4);
  EXPECT_EQ(run_program({"convert", scratch.path("none.npz"), out, "--to", "hf"}).code, 4);
  EXPECT_EQ(run_program({"convert", POCKET_DIR, "/dev/null/no/folder", "--to", "hf"}).code, 1);
  for (const char* bytes : {"0", "-1", "1.5", "5GB", "99999999999999999999", ""}) {
    const Ended shard = run_program({"convert", POCKET_DIR, out, "--to", "hf", "--shard-bytes", bytes});
    EXPECT_EQ(shard.code, 2) << bytes;
    EXPECT_THAT(shard.err, HasSubstr("--shard-bytes"));
  }
  const Ended single = run_program({"convert", POCKET_DIR, out + ".npz", "--to", "npz", "--shard-bytes", "1000"});
  EXPECT_EQ(single.code, 2);
  EXPECT_THAT(single.err, HasSubstr("--to hf or keras"));
  EXPECT_TRUE(std::filesystem::is_empty(scratch.folder()));
  EXPECT_THAT(run_program({"convert", "--help"}).out, HasSubstr("--shard-bytes N"));
  std::filesystem::copy(POCKET_DIR, scratch.folder() / "other");
  Json config = parse_json(scratch.read("other/config.json"), "config.json", ErrorKind::failure);
  config["paligemma_loc_divisor"] = 1024;
  scratch.write("other/config.json", config.dump());
  const Ended divisor = run_program({"convert", scratch.path("other"), out, "--to", "keras"});
  EXPECT_EQ(divisor.code, 2);
  EXPECT_THAT(divisor.err, HasSubstr("box divisor of 1024"));
}

TEST(Doctor, SaysWhatFits) {
  const Ended text = run_program({"doctor"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("device: cpu"), HasSubstr("paligemma2-28b-896")));
  const Json shapes = json_of(run_program({"doctor", "--json"})).at("shapes");
  ASSERT_EQ(shapes.size(), 12u);
  for (const Json& shape : shapes) {
    const auto bytes = [&](const char* held) { return shape.at(held).get<std::uint64_t>(); };
    EXPECT_GT(bytes("bf16_bytes"), bytes("q8_bytes"));
    EXPECT_GT(bytes("q8_bytes"), bytes("q4_bytes"));
  }
}

TEST(Bench, RefusesAnUnknownShape) {
  const Ended ended = run_program({"bench", "--shape", "paligemma2-3b-223"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, EndsWith("Try: --shape paligemma2-3b-224\n"));
}

}  // namespace
}  // namespace paligemma::test
