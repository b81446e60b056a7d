// Merged models as folders, against products in double precision.
#include "merge_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;
using test::Scratch;

constexpr std::string_view kWeight = "language_model.model.layers.1.mlp.down_proj.weight";
constexpr std::string_view kUntouched = "language_model.model.layers.1.input_layernorm.weight";

ModelFiles merge_plain(const Scratch& scratch, const std::string& name, std::optional<DType> weights,
                       const ModelOptions& options = {}) {
  const fs::path to = scratch.folder() / name;
  EXPECT_THAT(
      merge_model(open_model_files(golden("models/pg2")), golden("lora/plain"), to, options, {.weights = weights}),
      testing::IsEmpty());
  return open_model_files(to);
}

std::vector<double> numbers(const HostTensor& tensor) {
  std::vector<double> out;
  for (std::size_t i = 0; i < tensor.elements(); ++i) out.push_back(double{tensor.element(i)});
  return out;
}

std::vector<double> numbers(const ModelFiles& files, std::string_view name) {
  return numbers(files.source.rows(name, 0, files.source.shape(name)->at(0)));
}

TEST(MergeModel, WeightsAreTheSumInF32) {
  const Scratch scratch;
  const ModelFiles base = open_model_files(golden("models/pg2")), merged = merge_plain(scratch, "m", DType::f32);
  EXPECT_EQ(merged.source.dtype(kWeight), DType::f32);
  const Json config = test::golden_json("lora/plain/adapter_config.json");
  const double factor = config.at("lora_alpha").get<double>() / config.at("r").get<double>();
  const Safetensors adapter = test::golden_tensors("lora/plain/adapter_model.safetensors");
  const std::string module = "base_model.model.model.language_model.layers.1.mlp.down_proj.";
  const HostTensor& a_tensor = adapter.tensors.at(module + "lora_A.weight");
  const std::vector<double> a = numbers(a_tensor), b = numbers(adapter.tensors.at(module + "lora_B.weight"));
  const std::vector<double> before = numbers(base, kWeight), after = numbers(merged, kWeight);
  const auto rank = static_cast<std::size_t>(a_tensor.shape[0]), width = static_cast<std::size_t>(a_tensor.shape[1]);
  ASSERT_EQ(after.size(), before.size());
  double changed = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    double sum = before[i], size = std::abs(before[i]);
    for (std::size_t r = 0; r < rank; ++r) {
      const double product = factor * b[i / width * rank + r] * a[r * width + i % width];
      sum += product, size += std::abs(product);
    }
    EXPECT_NEAR(after[i], sum, size * static_cast<double>(rank + 3) * 0x1p-24);  // a rounding each, at most
    changed = std::max(changed, std::abs(after[i] - before[i]));
  }
  EXPECT_GT(changed, 0.1);
  EXPECT_EQ(numbers(base, kUntouched), numbers(merged, kUntouched));
}

// Held as bf16 the sum is rounded, and not the sum of what was rounded.
TEST(MergeModel, WeightsAreRoundedOnce) {
  const Scratch scratch;
  const ModelFiles exact = merge_plain(scratch, "f32", DType::f32), rounded = merge_plain(scratch, "bf16", DType::bf16),
                   own = merge_plain(scratch, "own", std::nullopt);
  EXPECT_EQ(own.source.dtype(kWeight), DType::bf16);
  std::vector<double> expected = numbers(exact, kWeight);
  for (double& value : expected) value = round_to_bf16(static_cast<float>(value));
  EXPECT_EQ(numbers(rounded, kWeight), expected);
  EXPECT_EQ(numbers(own, kWeight), expected);
}

TEST(MergeModel, TheConfigurationSaysWhatTheRunHad) {
  const Scratch scratch;
  const ModelFiles own = merge_plain(scratch, "own", std::nullopt);
  EXPECT_EQ(own.config.decoder.final_cap, 30);
  EXPECT_EQ(own.config.loc_divisor, 1023);
  const ModelFiles changed =
      merge_plain(scratch, "changed", std::nullopt,
                  {.final_softcap = Switch::off, .attention_softcap = Switch::off, .box_divisor = 1024});
  EXPECT_EQ(changed.config.decoder.final_cap, 0);
  EXPECT_EQ(changed.config.decoder.attention_cap, 0);
  EXPECT_EQ(changed.config.loc_divisor, 1024);
}

TEST(MergeModel, TheConfigurationSaysWhatTheAdapterLearnt) {
  const Scratch scratch;
  fs::copy(golden("lora/plain"), scratch.folder() / "adapter");
  scratch.write("adapter/paligemma.json", R"({"final_logit_softcapping": null, "paligemma_noise_boxes": 12})");
  merge_model(open_model_files(golden("models/pg2")), scratch.folder() / "adapter", scratch.path("m"), {}, {});
  const ModelFiles merged = open_model_files(scratch.path("m"));
  EXPECT_EQ(merged.config.noise_boxes, 12);
  EXPECT_EQ(merged.config.decoder.final_cap, 0);
}

TEST(MergeModel, WholeModulesComeAsTheModelIsHeld) {
  const Scratch scratch;
  merge_model(open_model_files(golden("models/pg2")), golden("lora/projector"), scratch.path("m"), {}, {});
  const ModelFiles merged = open_model_files(scratch.path("m"));
  EXPECT_EQ(merged.source.dtype("multi_modal_projector.linear.weight"), DType::bf16);
  EXPECT_NE(numbers(merged, "multi_modal_projector.linear.weight"),
            numbers(open_model_files(golden("models/pg2")), "multi_modal_projector.linear.weight"));
}

TEST(MergeModel, RefusesBeforeAnythingIsWritten) {
  const Scratch scratch;
  const auto expect = [&](ErrorKind kind, std::string_view code, const std::string& model, const std::string& adapter,
                          const fs::path& to) {
    expect_error(kind, code, "", [&] { merge_model(open_model_files(golden(model)), golden(adapter), to, {}, {}); });
  };
  const fs::path free = scratch.folder() / "free";
  expect(ErrorKind::model, "adapter_merge", "models/pg2", "lora/tables", free);
  expect(ErrorKind::model, "adapter_merge", "models/pg2", "lora/biases", free);
  expect(ErrorKind::model, "adapter_key", "models/pg2-28b-like", "lora/plain", free);
  EXPECT_FALSE(fs::exists(free));
  scratch.write("taken/config.json", "{}");
  expect(ErrorKind::usage, "file_exists", "models/pg2", "lora/plain", scratch.folder() / "taken");
}

}  // namespace
}  // namespace paligemma
