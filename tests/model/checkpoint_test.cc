#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model/config.h"
#include "model/load.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;
using ::testing::HasSubstr;

TEST(Checkpoint, AllSpellingsHaveOneName) {
  for (const char* name :
       {"language_model.model.layers.3.mlp.up_proj.weight", "model.language_model.layers.3.mlp.up_proj.weight",
        "language_model.layers.3.mlp.up_proj.weight"})
    EXPECT_EQ(canonical_name(name), "language_model.model.layers.3.mlp.up_proj.weight");
  for (const char* name :
       {"vision_tower.vision_model.post_layernorm.bias", "model.vision_tower.vision_model.post_layernorm.bias",
        "model.vision_tower.post_layernorm.bias", "vision_tower.post_layernorm.bias"})
    EXPECT_EQ(canonical_name(name), "vision_tower.vision_model.post_layernorm.bias");
  EXPECT_EQ(canonical_name("model.multi_modal_projector.linear.weight"), "multi_modal_projector.linear.weight");
  EXPECT_EQ(canonical_name("language_model.lm_head.weight"), "lm_head.weight");
  EXPECT_EQ(canonical_name("lm_head.weight"), "lm_head.weight");
}

TEST(Checkpoint, ThreeFormsOfOneModelHoldTheSameTensors) {
  const auto open = [](const std::string& name) {
    return Checkpoint(Folder::on_disk(golden("models/" + name), ErrorKind::model));
  };
  const Checkpoint published = open("pg2"), saved = open("pg2-saved-by-transformers"),
                   memory = open("pg2-memory-names-with-lm-head");
  for (const auto& [name, entry] : published.tensors()) {
    for (const Checkpoint* other : {&saved, &memory}) {
      const auto found = other->tensors().find(name);
      ASSERT_NE(found, other->tensors().end()) << name;
      EXPECT_TRUE(std::ranges::equal(found->second.tensor.bytes, entry.tensor.bytes)) << name;
    }
  }
  EXPECT_TRUE(memory.tensors().contains("lm_head.weight"));
}

// A copy of a golden model that a test may damage.
class DamagedCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("paligemma_checkpoint_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::copy(golden("models/pg2"), folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(folder / name) << text; }
  std::string error(const std::string& code) const {
    try {
      const Checkpoint checkpoint(Folder::on_disk(folder, ErrorKind::model));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model);
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "no error";
  }

  fs::path folder;
};

TEST_F(DamagedCheckpoint, MissingShardIsNamed) {
  fs::remove(folder / "model-00003-of-00006.safetensors");
  EXPECT_THAT(error("shard_missing"), HasSubstr("model-00003-of-00006.safetensors"));
}

TEST_F(DamagedCheckpoint, IndexOfATensorThatIsNowhere) {
  Json index = test::golden_json("models/pg2/model.safetensors.index.json");
  index["weight_map"]["language_model.model.nothing"] = "model-00001-of-00006.safetensors";
  write("model.safetensors.index.json", index.dump());
  EXPECT_THAT(error("index"), HasSubstr("language_model.model.nothing is not in model-00001-of-00006.safetensors"));
}

TEST_F(DamagedCheckpoint, IndexThatLeavesTheFolder) {
  write("model.safetensors.index.json", R"({"weight_map": {"a": "../../etc/passwd"}})");
  EXPECT_THAT(error("index"), HasSubstr("expected a file name"));
}

TEST_F(DamagedCheckpoint, IndexThatIsNoIndex) {
  for (const char* text : {"[]", "{}", R"({"weight_map": 3})"}) {
    write("model.safetensors.index.json", text);
    EXPECT_THAT(error("index"), HasSubstr("weight_map"));
  }
}

TEST_F(DamagedCheckpoint, NameThatStandsTwice) {
  Json index = test::golden_json("models/pg2/model.safetensors.index.json");
  fs::copy(folder / "model-00001-of-00006.safetensors", folder / "again.safetensors");
  index["weight_map"]["x"] = "again.safetensors";
  write("model.safetensors.index.json", index.dump());
  EXPECT_THAT(error("tensor_twice"), HasSubstr("is also"));
}

TEST_F(DamagedCheckpoint, NoWeightsAtAll) {
  fs::remove(folder / "model.safetensors.index.json");
  EXPECT_THAT(error("no_weights"), HasSubstr("expected model.safetensors"));
}

TEST(Checkpoint, TensorOfAnotherTypeIsNamedWithIt) {
  test::Scratch scratch;
  const std::string header =
      R"({"model.language_model.norm.weight":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})";
  scratch.write("model.safetensors",
                std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "ab");
  const Checkpoint checkpoint(Folder::on_disk(scratch.folder(), ErrorKind::model));
  const TensorSource source = checkpoint.source();
  EXPECT_EQ(source.shape("lm_head.weight"), std::nullopt);
  expect_error(ErrorKind::model, "tensor_dtype",
               "tensor language_model.model.norm.weight: expected F32, BF16 or F16, got F8_E4M3",
               [&] { source.shape("language_model.model.norm.weight"); });
}

TEST(Load, WrongShapeIsShownWithTheRightOne) {
  const Checkpoint checkpoint(Folder::on_disk(golden("models/pg2"), ErrorKind::model));
  TensorSource source = checkpoint.source();
  const Config config = read_config(test::golden_json("models/pg2/config.json"), source.shape, "config.json");
  const auto shape = source.shape;
  source.shape = [shape](std::string_view name) {
    auto found = shape(name);
    if (name.ends_with("layers.2.mlp.down_proj.weight")) std::swap(found->at(0), found->at(1));
    return found;
  };
  const auto backend = make_cpu_backend({.threads = 1});
  try {
    load_network(config, source, {}, *backend);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "tensor_shape");
    EXPECT_THAT(error.what(), HasSubstr("layers.2.mlp.down_proj.weight: expected shape [64, 112], got [112, 64]"));
  }
}

TEST(Load, HoldingFollowsFileOptionAndPrecision) {
  const auto matrix = [](const Holding& holding, DType in_file, std::int64_t cols = 64,
                         std::string_view name = "language_model.model.layers.0.mlp.up_proj.weight") {
    return holding.matrix(name, cols, in_file);
  };
  const std::string_view vision = "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight";
  EXPECT_EQ(matrix({HeldAs::q8, Precision::f32}, DType::f32), DType::q8);
  EXPECT_EQ(matrix({HeldAs::q4, Precision::bf16}, DType::bf16), DType::q4);
  EXPECT_EQ(matrix({HeldAs::q4, Precision::bf16}, DType::bf16, 64, vision), DType::q8);
  EXPECT_EQ(matrix({HeldAs::q4, Precision::bf16}, DType::f32, 4304, vision), DType::bf16);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::int8}, DType::bf16, 588, vision), DType::int8);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::int8}, DType::q8), DType::int8);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::int8}, DType::q4), DType::q4);
  EXPECT_EQ(matrix({HeldAs::q8, Precision::int8}, DType::f32), DType::int8);
  EXPECT_EQ(matrix({HeldAs::q4, Precision::int8}, DType::bf16), DType::q4);
  EXPECT_EQ(matrix({HeldAs::q4, Precision::int8}, DType::bf16, 4304, vision), DType::int8);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::f32}, DType::bf16), DType::bf16);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::f32}, DType::f32), DType::f32);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::f32}, DType::f16), DType::f32);
  EXPECT_EQ(matrix({HeldAs::as_in_file, Precision::bf16}, DType::f32), DType::bf16);
  EXPECT_EQ(matrix({HeldAs::f32, Precision::bf16}, DType::bf16), DType::f32);
  EXPECT_EQ(matrix({HeldAs::bf16, Precision::f32}, DType::f32), DType::bf16);
}

}  // namespace
}  // namespace paligemma
