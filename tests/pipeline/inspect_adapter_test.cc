// Adapters without their model, against what PEFT was told and what is in its files.
#include "inspect_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::Scratch;
using Kind = InspectedModules::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

AdapterInspection inspected(const fs::path& folder) {
  return inspect_adapter(Folder::on_disk(folder, ErrorKind::model), "a");
}

const InspectedModules& named(const AdapterInspection& inspection, std::string_view name, std::int64_t rank) {
  const auto found = std::ranges::find_if(inspection.modules, [&](const InspectedModules& modules) {
    return modules.name == name && modules.rank == rank;
  });
  if (found == inspection.modules.end()) throw std::out_of_range(std::string(name));
  return *found;
}

constexpr const char* kQueries = "language_model.model.layers.*.self_attn.q_proj";

TEST(InspectAdapter, CountsModulesByLayer) {
  for (const char* spelling : {"plain", "plain-middle-keys", "plain-older-keys"}) {
    const AdapterInspection plain = inspected(test::golden(std::string("lora/") + spelling));
    EXPECT_EQ(plain.base_model, "pg2");
    EXPECT_EQ(plain.parameters, 20608u);
    EXPECT_EQ(plain.bytes, 4 * 20608u);
    EXPECT_EQ(plain.modules.size(), 7u + 3u);  // of the decoder and of the vision tower
    const InspectedModules& queries = named(plain, kQueries, 4);
    EXPECT_THAT(queries.layers, ElementsAre(0, 1, 2, 3));
    EXPECT_EQ(queries.parameters, 4u * (64 + 96) * 4);
    EXPECT_EQ(queries.dtype, "f32");
    EXPECT_EQ(queries.factor, 2);
    EXPECT_THAT(plain.warnings, IsEmpty());
  }
}

TEST(InspectAdapter, PatternsSetLayersApart) {
  const AdapterInspection patterns = inspected(test::golden("lora/patterns"));
  EXPECT_EQ(patterns.parameters, 19680u);
  EXPECT_THAT(named(patterns, kQueries, 4).layers, ElementsAre(0, 2, 3));
  const InspectedModules& other = named(patterns, kQueries, 7);
  EXPECT_THAT(other.layers, ElementsAre(1));
  EXPECT_EQ(other.alpha, 21);
  EXPECT_EQ(named(patterns, "language_model.model.layers.*.mlp.down_proj", 2).factor, 2.5);
}

TEST(InspectAdapter, TellsTablesAndWholeTensorsApart) {
  const AdapterInspection tables = inspected(test::golden("lora/tables"));
  EXPECT_EQ(tables.parameters, 11352u);
  EXPECT_THAT(tables.config.modules_to_save, ElementsAre("post_layernorm", "input_layernorm"));
  const InspectedModules& embedding = named(tables, "language_model.model.embed_tokens", 2);
  EXPECT_EQ(embedding.kind, Kind::table);
  EXPECT_EQ(embedding.parameters, 2u * (2368 + 64));
  const InspectedModules& norms = named(tables, "language_model.model.layers.*.input_layernorm.weight", 0);
  EXPECT_EQ(norms.kind, Kind::whole);
  EXPECT_EQ(norms.parameters, 4u * 64);
}

TEST(InspectAdapter, SaysWhatSettingsAreOn) {
  const AdapterInspection dora = inspected(test::golden("lora/dora-vision"));
  EXPECT_TRUE(dora.config.dora && dora.config.rslora && !dora.config.lora_bias);
  EXPECT_EQ(dora.parameters, 3288u);
  EXPECT_EQ(named(dora, "vision_tower.vision_model.embeddings.patch_embedding", 2).factor, 8 / std::sqrt(2.0));
  const AdapterInspection biases = inspected(test::golden("lora/biases"));
  EXPECT_TRUE(biases.config.lora_bias && !biases.config.dora);
  EXPECT_EQ(biases.parameters, 4960u);

  const Json json = adapter_inspection_json(inspected(test::golden("lora/projector")));
  EXPECT_EQ(json["schema"], "paligemma.inspect_adapter/1");
  EXPECT_EQ(json["target_modules"], R"(.*language_model.*\.(q_proj|v_proj|down_proj))");
  EXPECT_EQ(json["modules_to_save"], Json({"multi_modal_projector"}));
  EXPECT_EQ(json["modules"].back(), Json({{"name", "multi_modal_projector.linear.weight"},
                                          {"kind", "whole"},
                                          {"layers", Json::array()},
                                          {"dtype", "f32"},
                                          {"parameters", 64 * 48},
                                          {"bytes", 4 * 64 * 48}}));
}

TEST(InspectAdapter, CountsWhatIsNotFinite) {
  const Scratch scratch;
  fs::copy(test::golden("lora/plain"), scratch.folder(), fs::copy_options::recursive);
  std::string bytes = scratch.read("adapter_model.safetensors");
  const float infinite = INFINITY;
  std::memcpy(bytes.data() + bytes.size() - 4, &infinite, 4);
  scratch.write("adapter_model.safetensors", bytes);
  const AdapterInspection found = inspected(scratch.folder());
  ASSERT_EQ(found.warnings.size(), 1u);
  EXPECT_THAT(found.warnings[0].text, ::testing::EndsWith(" holds 1 value that is NaN or infinite"));
}

TEST(InspectAdapter, RefusesARankThatTheTensorsDoNotHave) {
  const Scratch scratch;
  fs::copy(test::golden("lora/plain"), scratch.folder(), fs::copy_options::recursive);
  scratch.write("adapter_config.json", R"({"peft_type": "LORA", "r": 5})");
  expect_error(ErrorKind::model, "adapter_shape", "expected rank 5 as adapter_config.json says, got shape [4, 112]",
               [&] { inspected(scratch.folder()); });
}

TEST(InspectAdapter, AModelsFolderIsNone) {
  EXPECT_TRUE(holds_adapter(test::golden("lora/plain")));
  EXPECT_FALSE(holds_adapter(test::golden("models/pg2")));
  const Scratch scratch;
  scratch.write("adapter_config.json", "{}");
  scratch.write("model.safetensors", "");
  EXPECT_FALSE(holds_adapter(scratch.folder()));
}

}  // namespace
}  // namespace paligemma
