// LoRA adapters against PEFT: every adapter of tests/golden/lora, attached and merged, under every instruction set; and
// batches of prompts with different adapters against each prompt alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/model.h"
#include "support/isas.h"

namespace paligemma {
namespace {

const Json& lora_cases() {
  static const Json cases = golden_json("lora/case.json");
  return cases;
}

std::string with_underscores(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

// The prompt of the adapters' cases is pair 0 of the model's own.
class Lora : public ::testing::Test {
 protected:
  const Json pairs = golden_json("forward/pg2/case.json")["pairs"];
  const Safetensors taps = golden_tensors("forward/pg2/taps.safetensors");
  const Safetensors expected = golden_tensors("lora/tensors.safetensors");

  std::vector<float> patches(const TestModel& model, int pair = 0) const {
    return model.patches(taps.others.at(std::to_string(pair) + "/pixels_u8").bytes);
  }

  // Logits, greedy answer and scores of the model with `adapter`, or with what was merged into it.
  void expect_case(TestModel& model, const AdapterSet* adapter, const std::string& reference,
                   const std::string& logits) {
    const Json& case_ = lora_cases()["adapters"][reference];
    Taps seen;
    collect(*model.engine, seen);
    model.see({patches(model)}, {adapter});
    EnginePrompt prompt = make_prompt(pairs[0], 32);
    prompt.adapter = adapter;
    expect_answer(model.answer(prompt), case_["greedy"]);
    auto& all = seen.at("logits");
    all.resize(static_cast<std::size_t>(model.config.decoder.vocabulary));
    EXPECT_LE(relative_rms(all, values(expected.tensors.at(reference + "/" + logits))), testing::kTapRelativeRms);
    prompt = make_scoring(pairs[0]);
    prompt.adapter = adapter;
    expect_scores(model.answer(prompt), case_["suffix_scores"]);
  }
};

struct Case {
  std::string adapter, reference, isa;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.adapter << " " << c.isa; }
};

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const std::string& isa : testing::runnable_isas()) {
    for (const auto& [name, case_] : lora_cases()["adapters"].items()) all.push_back({name, name, isa});
    for (const char* name : {"plain-older-keys", "plain-middle-keys"}) all.push_back({name, "plain", isa});
  }
  return all;
}

class LoraCase : public Lora, public ::testing::WithParamInterface<Case> {};
INSTANTIATE_TEST_SUITE_P(Adapters, LoraCase, ::testing::ValuesIn(all_cases()),
                         [](const auto& info) { return with_underscores(info.param.adapter + "_" + info.param.isa); });

TEST_P(LoraCase, Attached) {
  TestModel model("pg2", GetParam().isa, Precision::f32);
  const AdapterSet* adapter = model.attach(model.adapter(GetParam().adapter));
  expect_case(model, adapter, GetParam().reference, "logits_last");
}

TEST_P(LoraCase, Merged) {
  TestModel model("pg2", GetParam().isa, Precision::f32, {GetParam().adapter});
  expect_case(model, nullptr, GetParam().reference, "merged_logits_last");
}

// In bf16 an adapter costs no more than the base model's rounding: the logits stay as close to PEFT's in f32 as
// transformers' own bf16 stays to its f32 without an adapter, by the largest of its distances.
TEST_P(LoraCase, Bf16) {
  TestModel model("pg2", GetParam().isa, Precision::bf16);
  const AdapterSet* adapter = model.attach(model.adapter(GetParam().adapter));
  Taps seen;
  collect(*model.engine, seen);
  model.see({patches(model)}, {adapter});
  EnginePrompt prompt = make_prompt(pairs[0], 1);
  prompt.adapter = adapter;
  model.answer(prompt);
  double largest = 0;
  for (const Json& pair : pairs)
    largest = std::max(largest, pair["bf16_distance"]["logits_last"]["rel_rms"].get<double>());
  EXPECT_LE(relative_rms(seen.at("logits"), values(expected.tensors.at(GetParam().reference + "/logits_last"))),
            largest);
}

class LoraIsa : public Lora, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Isas, LoraIsa, ::testing::ValuesIn(testing::runnable_isas()),
                         [](const auto& info) { return with_underscores(info.param); });

// Prompts without and with each adapter, in one batch: the bits of each prompt alone, and those of the model that has
// no adapters for the first.
TEST_P(LoraIsa, MixedBatchesEqualSinglePrompts) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    TestModel model("pg2", GetParam(), precision);
    std::vector<const AdapterSet*> adapters{nullptr};
    for (const char* name : {"plain", "dora", "projector", "patterns"})
      adapters.push_back(model.attach(model.adapter(name)));
    adapters.insert(adapters.begin() + 2, nullptr);
    adapters.push_back(adapters[1]);

    std::vector<EnginePrompt> prompts;
    std::vector<std::vector<float>> pictures;
    for (std::size_t i = 0; i < adapters.size(); ++i) {
      const auto pair = i % 3;
      pictures.push_back(patches(model, static_cast<int>(pair)));
      prompts.push_back(make_prompt(pairs[pair], 12, {static_cast<std::int64_t>(i)}));
      prompts.back().adapter = adapters[i];
    }
    model.see(pictures, adapters);
    const auto together = model.engine->generate(prompts);
    for (std::size_t i = 0; i < adapters.size(); ++i) {
      SCOPED_TRACE(i);
      model.see({pictures[i]}, {adapters[i]});
      prompts[i].pictures = {0};
      const EngineAnswer alone = model.answer(prompts[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].logprobs, alone.logprobs);
      EXPECT_EQ(together[i].margins, alone.margins);
    }
    TestModel plain("pg2", GetParam(), precision);
    plain.see({pictures[0]});
    prompts[0].pictures = {0};
    EXPECT_EQ(plain.answer(prompts[0]).logprobs, together[0].logprobs);
  }
}

// Tensors merged one by one, against those that PEFT merged.
TEST_F(Lora, MergedTensorsAreThoseOfPeft) {
  TestModel model("pg2", "portable", Precision::f32);
  const Adapter adapter = model.adapter("patterns");
  const TensorSource source = merged(model.source, adapter, *model.backend);
  for (const char* part : {"mlp.down_proj.weight", "mlp.up_proj.weight", "self_attn.q_proj.weight"}) {
    const HostTensor& reference = expected.tensors.at("patterns/merged/" + std::string(part));
    const std::string name = "language_model.model.layers.1." + std::string(part);
    ASSERT_EQ(*source.shape(name), reference.shape);
    const std::int64_t half = reference.shape[0] / 2;
    std::vector<float> rows = to_f32(source.rows(name, 0, half));
    const std::vector<float> rest = to_f32(source.rows(name, half, reference.shape[0] - half));
    rows.insert(rows.end(), rest.begin(), rest.end());
    EXPECT_LE(relative_rms(rows, values(reference)), 1e-7) << name;
  }
}

}  // namespace
}  // namespace paligemma
