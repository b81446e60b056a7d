// Models made one GGUF file, against the models that they were made of.
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "inspect.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;
using test::golden_json;
using test::Scratch;

fs::path quantized_file(const fs::path& from, const Scratch& scratch, const std::string& name, QuantType type) {
  const fs::path to = scratch.path(name);
  quantize(open_model_files(from), to, {.type = type});
  return to;
}

// What all tokens of all answers are, with their log-probabilities.
std::vector<std::pair<int, float>> answers(const fs::path& path, const std::string& cases,
                                           const ModelOptions& options) {
  Model model = Model::open(path, options);
  std::vector<std::pair<int, float>> out;
  const Json all = golden_json("forward/" + cases + "/case.json");
  for (const Json& pair : all["pairs"]) {
    if (!pair.contains("picture")) continue;
    Request request{.task = Task::run, .text = pair["prompt"], .max_tokens = 8, .logprobs = true};
    const fs::path picture = golden("pictures/" + pair["picture"].get<std::string>());
    request.pictures.push_back({picture.string(), read_picture(picture, {.apply_exif = false})});
    for (const Token& token : model.answer(request).tokens)
      out.emplace_back(token.id, static_cast<float>(token.logprob));
  }
  EXPECT_FALSE(out.empty());
  return out;
}

class Quantize : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Models, Quantize, ::testing::Values("pg1", "pg2", "pg2-f16"), [](const auto& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
});

TEST_P(Quantize, AnswersAreThoseOfWeightsQuantisedOnLoading) {
  const Scratch scratch;
  const fs::path source = golden("models/" + GetParam());
  for (const auto& [type, weights] :
       {std::pair(QuantType::q8, WeightType::q8), std::pair(QuantType::q4, WeightType::q4)})
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      const fs::path file = quantized_file(source, scratch, join(int(type), int(compute), ".gguf"), type);
      EXPECT_EQ(answers(file, GetParam(), {.compute = compute, .threads = 2}),
                answers(source, GetParam(), {.weights = weights, .compute = compute, .threads = 2}));
    }
}

TEST(QuantizedType, FollowsHoldingAndMixedKeepsSome) {
  const std::string block = "language_model.model.layers.3.";
  const auto type = [](QuantType type, const std::string& name, std::int64_t cols = 64) {
    return quantized_type(type, name, cols, DType::f32);
  };
  EXPECT_EQ(type(QuantType::q8, block + "mlp.gate_proj.weight"), DType::q8);
  EXPECT_EQ(type(QuantType::q4, block + "mlp.down_proj.weight"), DType::q4);
  EXPECT_EQ(type(QuantType::q4, "multi_modal_projector.linear.weight"), DType::q8);
  EXPECT_EQ(type(QuantType::mixed, block + "mlp.gate_proj.weight"), DType::q4);
  EXPECT_EQ(type(QuantType::mixed, block + "mlp.down_proj.weight"), DType::q4);
  EXPECT_EQ(type(QuantType::mixed, block + "self_attn.v_proj.weight"), DType::q8);
  EXPECT_EQ(type(QuantType::mixed, block + "self_attn.q_proj.weight"), DType::q8);
  EXPECT_EQ(type(QuantType::mixed, "language_model.model.embed_tokens.weight"), DType::q8);
  EXPECT_EQ(type(QuantType::q4, "vision_tower.vision_model.x.weight", 4304), DType::bf16);
}

// Tokenizer, picture settings and codec are those of the source: nothing else lies in the scratch folder.
TEST(QuantizedFile, IsTheWholeModel) {
  const Scratch scratch;
  const fs::path file = quantized_file(POCKET_DIR, scratch, "pocket.gguf", QuantType::q8);
  const auto segment = [](const fs::path& path, WeightType weights) {
    Model model = Model::open(path, {.weights = weights, .compute = Compute::f32});
    EXPECT_TRUE(model.info().has_codec);
    Request request{.task = Task::segment, .labels = {"cow"}};
    const std::string picture = std::string(POCKET_DIR) + "/pictures/beach.png";
    request.pictures.push_back({picture, read_picture(picture)});
    Result result = model.answer(request);
    result.model = "";
    result.timings = {};
    return to_json(result);
  };
  EXPECT_EQ(segment(file, WeightType::automatic), segment(POCKET_DIR, WeightType::q8));
  const Inspection inspection = inspect(open_model_files(file), "pocket");
  EXPECT_EQ(inspection.form, Form::gguf);
  EXPECT_TRUE(inspection.warnings.empty());
  const auto patch =
      std::ranges::find(inspection.tensors, "vision_tower.embeddings.patch_embedding.weight", &InspectedTensor::name);
  ASSERT_NE(patch, inspection.tensors.end());
  EXPECT_EQ(patch->dtype, "bf16");
  EXPECT_EQ(patch->note, "rows of 588 are not whole blocks of 32");
  const auto noted = std::ranges::count_if(inspection.tensors, [](const auto& tensor) { return !tensor.note.empty(); });
  EXPECT_EQ(noted, 1);
}

// Back in a folder the weights are the numbers of the blocks, and in f32 exactly.
TEST(QuantizedFile, IsConvertedBack) {
  const Scratch scratch;
  const ModelFiles gguf = open_model_files(quantized_file(golden("models/pg2"), scratch, "m.gguf", QuantType::q4));
  convert(gguf, scratch.path("f32"), {.weights = DType::f32});
  convert(gguf, scratch.path("plain"), {});
  const ModelFiles f32 = open_model_files(fs::path(scratch.path("f32"))),
                   plain = open_model_files(fs::path(scratch.path("plain")));
  Network network(gguf.config);
  visit(network, gguf.config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form) {
    const HostTensor blocks = gguf.source.rows(name, 0, shape[0]), exact = f32.source.rows(name, 0, shape[0]),
                     rounded = plain.source.rows(name, 0, shape[0]);
    EXPECT_EQ(exact.dtype, DType::f32);
    EXPECT_EQ(rounded.dtype, DType::bf16) << name;
    for (std::size_t i = 0; i < blocks.elements(); ++i) {
      ASSERT_EQ(exact.element(i), blocks.element(i)) << name << " at " << i;
      ASSERT_EQ(rounded.element(i), round_to_bf16(blocks.element(i))) << name << " at " << i;
    }
  });
  EXPECT_TRUE(plain.folder.has("tokenizer.model"));
  EXPECT_TRUE(plain.folder.has("preprocessor_config.json"));
}

TEST(QuantizedFile, KeepsTheCalibrationOfScores) {
  const Scratch scratch;
  ModelFiles from = open_model_files(golden("models/pg2"));
  from.config.score_calibration = ScoreCalibration{2.5, 1};
  quantize(from, scratch.path("m.gguf"), {.type = QuantType::q8});
  EXPECT_EQ(open_model_files(scratch.path("m.gguf")).config.score_calibration, from.config.score_calibration);
}

TEST(QuantizedFile, IsNotWrittenOverOthers) {
  const Scratch scratch;
  const ModelFiles from = open_model_files(golden("models/pg1"));
  const auto expect_refused = [&](const fs::path& to, std::string_view code, std::string_view part) {
    expect_error(ErrorKind::usage, code, part, [&] { quantize(from, to, {}); });
  };
  expect_refused(scratch.path("m.bin"), "bad_value", "ends in .gguf");
  expect_refused(scratch.write("m.gguf", "x"), "file_exists", "--force");
  EXPECT_EQ(scratch.read("m.gguf"), "x");
  fs::create_directory(scratch.path("d.gguf"));
  expect_refused(scratch.path("d.gguf"), "file_exists", "expected a file, got a folder");
  quantize(from, scratch.path("m.gguf"), {.force = true});
  EXPECT_TRUE(scratch.read("m.gguf").starts_with("GGUF"));
  expect_error(ErrorKind::failure, "interrupted", "interrupted",
               [&] { quantize(from, scratch.path("n.gguf"), {}, {}, [] { return true; }); });
  EXPECT_FALSE(fs::exists(scratch.path("n.gguf")));
}

}  // namespace
}  // namespace paligemma
