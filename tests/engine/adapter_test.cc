// LoRA adapters against PEFT: every adapter of tests/golden/lora, attached and merged, under every instruction set; and
// batches of prompts with different adapters against each prompt alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "loaded.h"
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
class Lora : public Pg2Cases {
 protected:
  const Safetensors expected = golden_tensors("lora/tensors.safetensors");

  // Logits, greedy answer and scores of the model with `adapter`, or with what was merged into it.
  void expect_case(Loaded& model, const AdapterSet* adapter, const std::string& reference, const std::string& logits) {
    const Json& case_ = lora_cases()["adapters"][reference];
    Taps seen;
    collect(*model.engine, seen);
    model.see({patches(model)}, {adapter});
    EnginePrompt prompt = make_prompt(pairs[0], 32);
    prompt.adapter = adapter;
    expect_answer(model.answer(prompt), case_["greedy"]);
    auto& all = seen.at("logits");
    all.resize(static_cast<std::size_t>(model.config.decoder.vocabulary));
    EXPECT_LE(relative_rms(all, values(expected.tensors.at(reference + "/" + logits))), test::kTapRelativeRms);
    prompt = make_scoring(pairs[0]);
    prompt.adapter = adapter;
    expect_scores(model.answer(prompt), case_["suffix_scores"]);
  }
};

struct AdapterCase {
  std::string adapter, reference, isa;
  friend std::ostream& operator<<(std::ostream& out, const AdapterCase& c) { return out << c.adapter << " " << c.isa; }
};

std::vector<AdapterCase> adapter_cases() {
  std::vector<AdapterCase> all;
  for (const std::string& isa : test::runnable_isas()) {
    for (const auto& [name, case_] : lora_cases()["adapters"].items()) all.push_back({name, name, isa});
    for (const char* name : {"plain-older-keys", "plain-middle-keys"}) all.push_back({name, "plain", isa});
  }
  return all;
}

class LoraCase : public Lora, public ::testing::WithParamInterface<AdapterCase> {};
INSTANTIATE_TEST_SUITE_P(Adapters, LoraCase, ::testing::ValuesIn(adapter_cases()),
                         [](const auto& info) { return with_underscores(info.param.adapter + "_" + info.param.isa); });

TEST_P(LoraCase, Attached) {
  Loaded model("models/pg2", GetParam().isa);
  const AdapterSet* adapter = model.attach(model.adapter(GetParam().adapter));
  expect_case(model, adapter, GetParam().reference, "logits_last");
}

TEST_P(LoraCase, Merged) {
  Loaded model("models/pg2", GetParam().isa, {.merge = {GetParam().adapter}});
  expect_case(model, nullptr, GetParam().reference, "merged_logits_last");
}

// In bf16 the logits are at least as close to f32 as PEFT's own are: root mean square over three pairs. f32 is our own
// here, which the tests above hold against PEFT's.
TEST_P(LoraCase, Bf16IsAsCloseAsPeft) {
  double ours = 0, theirs = 0;
  std::vector<std::vector<float>> in_f32;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Loaded model("models/pg2", GetParam().isa, {.precision = precision});
    const AdapterSet* adapter = model.attach(model.adapter(GetParam().adapter));
    for (std::size_t pair = 0; pair < 3; ++pair) {
      Taps seen;
      collect(*model.engine, seen);
      model.see({patches(model, static_cast<int>(pair))}, {adapter});
      EnginePrompt prompt = make_prompt(pairs[pair], 1);
      prompt.adapter = adapter;
      model.answer(prompt);
      if (precision == Precision::f32) {
        in_f32.push_back(seen.at("logits"));
        continue;
      }
      const double distance = relative_rms(seen.at("logits"), in_f32[pair]);
      const double reference = golden_json("lora/bf16_distance.json")[GetParam().reference][pair].get<double>();
      ours += distance * distance, theirs += reference * reference;
    }
  }
  RecordProperty("ours", std::to_string(std::sqrt(ours / theirs)));
  EXPECT_LE(std::sqrt(ours / theirs), 1);
}

class LoraIsa : public Lora, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Isas, LoraIsa, ::testing::ValuesIn(test::runnable_isas()),
                         [](const auto& info) { return with_underscores(info.param); });

// Rows of the last block that nothing depends on are left out, whatever adapters and suffixes there are: the same bits.
TEST_P(LoraIsa, LastBlockOfTheLastRowsIsThatOfAll) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    std::vector<std::vector<EngineAnswer>> answers;
    for (const bool whole : {false, true}) {
      Loaded model("models/pg2", GetParam(), {.precision = precision, .whole_last_block = whole});
      std::vector<const AdapterSet*> adapters;
      std::vector<EnginePrompt> prompts;
      std::vector<std::vector<float>> pictures;
      for (const char* name : {"", "plain", "dora", "tables", "", "biases"}) {
        const std::size_t i = prompts.size();
        adapters.push_back(*name ? model.attach(model.adapter(name)) : nullptr);
        pictures.push_back(patches(model, static_cast<int>(i % 3)));
        prompts.push_back(i % 2 ? make_scoring(pairs[i % 3], {static_cast<std::int64_t>(i)})
                                : make_prompt(pairs[i % 3], 0, {static_cast<std::int64_t>(i)}));
        prompts.back().max_tokens = static_cast<int>(2 * (i % 3));
        prompts.back().adapter = adapters.back();
      }
      model.see(pictures, adapters);
      answers.push_back(model.engine->generate(prompts));
    }
    for (std::size_t i = 0; i < answers[0].size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_EQ(answers[0][i].ids, answers[1][i].ids);
      EXPECT_EQ(answers[0][i].logprobs, answers[1][i].logprobs);
    }
  }
}

// Prompts without and with each adapter, in one batch: the bits of each prompt alone, and those of the model that has
// no adapters for the first.
TEST_P(LoraIsa, MixedBatchesEqualSinglePrompts) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Loaded model("models/pg2", GetParam(), {.precision = precision});
    // Neighbours of one adapter, and of none behind each that replaces tensors.
    std::vector<const AdapterSet*> adapters;
    for (const char* name : {"", "plain", "plain", "", "dora", "projector", "", "tables", "", "biases", "",
                             "dora-vision", "patterns", "plain"})
      adapters.push_back(*name ? model.attach(model.adapter(name)) : nullptr);
    adapters[2] = adapters[1];

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
    Loaded plain("models/pg2", GetParam(), {.precision = precision});
    plain.see({pictures[0]});
    prompts[0].pictures = {0};
    EXPECT_EQ(plain.answer(prompts[0]).logprobs, together[0].logprobs);
  }
}

// Low rank of the embedding, the tied head and the patches, whole norms (tables); biases of both kinds (biases); DoRA
// of the vision tower with biases of its own (dora-vision).
TEST_P(LoraIsa, RarerFormsAnswerAsPeft) {
  const Json cases = golden_json("lora/more.json")["adapters"];
  Loaded model("models/pg2", GetParam());
  for (const auto& [name, case_] : cases.items()) {
    SCOPED_TRACE(name);
    const AdapterSet* adapter = model.attach(model.adapter(name));
    model.see({patches(model)}, {adapter});
    EnginePrompt prompt = make_prompt(pairs[0], 16);
    prompt.adapter = adapter;
    expect_answer(model.answer(prompt), case_["greedy"]);
  }
  Loaded merged("models/pg2", GetParam(), {.merge = {"dora-vision"}});
  merged.see({patches(merged)});
  expect_answer(merged.answer(make_prompt(pairs[0], 16)), cases["dora-vision"]["greedy"]);
}

// Where the head has its own weight, what changes the embedding and the head apart can be merged.
TEST_P(LoraIsa, MergedTablesEqualAttachedOnes) {
  const auto untied = [&](const std::vector<std::string>& merge) {
    Loaded model("models/pg2-memory-names-with-lm-head", GetParam(), {.merge = merge, .tied_head = false});
    const AdapterSet* adapter = merge.empty() ? model.attach(model.adapter("tables")) : nullptr;
    Taps seen;
    collect(*model.engine, seen);
    model.see({patches(model)}, {adapter});
    EnginePrompt prompt = make_prompt(pairs[0], 4);
    prompt.adapter = adapter;
    model.answer(prompt);
    return seen.at("logits");
  };
  EXPECT_LE(relative_rms(untied({"tables"}), untied({})), test::kTapRelativeRms);
}

// Tensors merged one by one, against those that PEFT merged.
TEST_F(Lora, MergedTensorsAreThoseOfPeft) {
  Loaded model("models/pg2", "portable");
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
