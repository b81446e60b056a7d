// Opening checkpoints of every form: names, pieces, configurations beside them, and damage.
#include "model/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "model/network.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class NpzModel : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("paligemma_model_files_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::create_directory(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }

  const std::string model = bytes_of(golden("npz/pg2/model.bf16.npz"));
  fs::path folder;
};

TEST_F(NpzModel, SaysItsSizes) {
  const Config config = open_model_files(golden("npz/pg2/model.bf16.npz")).config;
  EXPECT_TRUE(config.decoder.gemma2);
  EXPECT_EQ(config.decoder.heads, 6);
  EXPECT_EQ(config.decoder.kv_heads, 3);
  EXPECT_EQ(config.decoder.head_size, 12);
  EXPECT_EQ(config.vision.heads, 3);
  EXPECT_EQ(config.vision.image_size(), 56);
  EXPECT_FLOAT_EQ(config.decoder.query_scale, 1 / std::sqrt(12.0f));
  EXPECT_EQ(config.decoder.final_cap, 30);
  EXPECT_EQ(config.image_token, 326);
  EXPECT_FALSE(open_model_files(golden("npz/pg1/model.npz")).config.decoder.gemma2);
}

TEST_F(NpzModel, MayBeCutIntoPieces) {
  const std::size_t cut = model.size() / 11;
  for (std::size_t i = 0; i < 11; ++i)
    write("x.npz.part" + std::to_string(i), model.substr(i * cut, i == 10 ? std::string::npos : cut));
  const ModelFiles whole = open_model_files(golden("npz/pg2/model.bf16.npz"));
  for (const char* name : {"x.npz", "x.npz.part0", "x.npz.part10"}) {
    const ModelFiles pieces = open_model_files(folder / name);
    Network network(pieces.config);
    visit(network, pieces.config, [&](const std::string& tensor, Weight&, const Shape& shape, Weight::Form) {
      EXPECT_TRUE(std::ranges::equal(pieces.source.rows(tensor, 0, shape[0]).bytes,
                                     whole.source.rows(tensor, 0, shape[0]).bytes))
          << tensor;
    });
  }
  fs::remove(folder / "x.npz.part7");
  expect_error(ErrorKind::model, "shard_missing", "got x.npz.part8 as part 8",
               [&] { open_model_files(folder / "x.npz"); });
  fs::remove(folder / "x.npz.part0");
  fs::remove(folder / "x.npz.part1");
  expect_error(ErrorKind::model, "shard_missing", "got x.npz.part2 as part 1",
               [&] { open_model_files(folder / "x.npz"); });
}

TEST_F(NpzModel, CutOffIsNoArchive) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, model.size() / 2, model.size() - 1})
    expect_error(ErrorKind::model, "npz", "not a zip archive",
                 [&] { open_model_files(write("x.npz", model.substr(0, size))); });
  expect_error(ErrorKind::model, "file_not_found", "y.npz", [&] { open_model_files(folder / "y.npz"); });
  expect_error(ErrorKind::model, "tensor_missing", "expected an array img/",
               [&] { open_model_files(golden("codec/vae_small.npz")); });
}

TEST_F(NpzModel, ConfigBesideItDecidesWhatShapesDoNotSay) {
  const auto with = [&](const std::string& json) {
    write("config.json", json);
    return open_model_files(write("x.npz", model)).config.decoder;
  };
  EXPECT_FLOAT_EQ(with(R"({"query_pre_attn_norm": "rsqrt_emb_per_head"})").query_scale, 1 / std::sqrt(6.0f));
  EXPECT_EQ(with(R"({"final_logits_softcap": 0.0})").final_cap, 0);
  EXPECT_EQ(with(R"({"attn_logits_softcap": 20})").attention_cap, 20);
  EXPECT_EQ(with(R"({"model_type": "paligemma", "width": 7})").width, 36);  // some other model's
  const auto expect_refused = [&](const std::string& json, const char* part) {
    expect_error(ErrorKind::model, "config", part, [&] { with(json); });
  };
  expect_refused(R"({"width": 37})", "width is 37, the arrays say 36");
  expect_refused(R"({"vit_heads": 4})", "vit_heads is 4, the arrays say 3");
  expect_refused(R"({"image": 224})", "image is 224, the arrays say 56");
  expect_refused(R"({"family": 1})", "family is 1, the arrays say 2");
  expect_refused(R"({"query_pre_attn_norm": "none"})",
                 R"(expected "rsqrt_head_dim" or "rsqrt_emb_per_head", got "none")");
  expect_refused(R"({"final_logits_softcap": -1})", "final_logits_softcap");
  expect_refused("[]", "expected an object");
}

// A copy of a golden preset that a test may damage.
class KerasPreset : public NpzModel {
 protected:
  void SetUp() override {
    NpzModel::SetUp();
    fs::copy(golden("keras/pg2_f32_sharded"), folder, fs::copy_options::recursive);
  }
  void expect_refused(std::string_view code, std::string_view part) const {
    expect_error(ErrorKind::model, code, part, [&] { open_model_files(folder); });
  }
  void write_index(const Json& index) const { write("model.weights.json", index.dump()); }

  Json index = test::golden_json("keras/pg2_f32_sharded/model.weights.json");
};

TEST_F(KerasPreset, ShardsMustBeThere) {
  fs::remove(folder / "model_00001.weights.h5");
  expect_refused("shard_missing", "model_00001.weights.h5");
}

TEST_F(KerasPreset, IndexMustBeTrue) {
  index["weight_map"]["/layers/nothing/vars"] = "model_00000.weights.h5";
  write_index(index);
  expect_refused("index", "layers/nothing/vars is not in model_00000.weights.h5");
  write_index({{"weight_map", {{"/a", "../../etc/passwd"}}}});
  expect_refused("index", "expected a file name");
  for (const char* text : {"[]", "{}", R"({"weight_map": 3})"}) {
    write("model.weights.json", text);
    expect_refused("index", "weight_map");
  }
}

TEST_F(KerasPreset, DamagedWeightsAreRefused) {
  const std::string shard = bytes_of(folder / "model_00001.weights.h5");
  write("model_00001.weights.h5", shard.substr(0, shard.size() / 2));
  expect_refused("hdf5", "model_00001.weights.h5");
  fs::copy(folder / "model_00000.weights.h5", folder / "model_00001.weights.h5", fs::copy_options::overwrite_existing);
  expect_refused("index", "is not in model_00001.weights.h5");
  write_index(
      {{"weight_map", {{"/layers/reversible_embedding/vars", {"model_00000.weights.h5", "model_00001.weights.h5"}}}}});
  expect_refused("tensor_twice", "is in two files");
}

TEST_F(KerasPreset, ConfigurationMustAgree) {
  const auto with = [&](const char* field, const Json& value, std::string_view part) {
    Json config = test::golden_json("keras/pg2_f32_sharded/config.json");
    config["config"][field] = value;
    write("config.json", config.dump());
    expect_refused("config", part);
  };
  with("hidden_dim", 40, "hidden_dim is 40, the arrays say 36");
  with("intermediate_dim", 42, "intermediate_dim is 42, the arrays say 84");
  with("image_size", 224, "image_size is 224, the arrays say 28");
  with("vit_num_heads", 3, "num_attention_heads: expected a divisor of 16");
  with("use_post_ffw_norm", false, "use_post_ffw_norm: expected true");
  with("vit_pooling", "map", "vit_pooling: expected null");
  with("layer_norm_epsilon", 1e-5, "layer_norm_epsilon: expected 1e-06, got 1e-05");
  with("final_logit_soft_cap", "x", "final_logit_soft_cap");
  with("vit_num_heads", 1e300, "vit_num_heads: expected a whole number");
  write("config.json", R"({"class_name": "PaliGemmaBackbone", "config": {}})");
  expect_refused("config", "use_post_ffw_norm: expected true, got none");
  write("config.json", R"({"class_name": "GemmaBackbone", "config": {}})");
  expect_refused("config", "expected a PaliGemmaBackbone");
  fs::remove(folder / "config.json");
  expect_refused("no_config", "expected config.json");
}

TEST(ModelFolder, WithoutWeightsSaysWhatMayBeMeant) {
  const auto expect_advice = [](const fs::path& folder, const std::string& part) {
    expect_error(ErrorKind::model, "no_weights", part, [&] { open_model_files(folder); });
  };
  expect_advice(golden("npz/pg1"), "Try: " + golden("npz/pg1/model.bf16.npz").string());
  expect_advice(golden("lora/plain"), "Try: --adapter " + golden("lora/plain").string());
  expect_advice(golden("lora"), "expected model.safetensors");
}

TEST(KerasFile, MustHoldItsParts) {
  expect_error(ErrorKind::model, "keras", "expected config.json", [] {
    const test::Scratch scratch;
    fs::copy(golden("io/stored.npz"), scratch.path("x.keras"));
    open_model_files(fs::path(scratch.path("x.keras")));
  });
  const std::string whole = bytes_of(golden("keras/pg1_f32/model.keras"));
  const test::Scratch scratch;
  expect_error(ErrorKind::model, "keras", "not a zip archive",
               [&] { open_model_files(fs::path(scratch.write("x.keras", whole.substr(0, whole.size() / 2)))); });
}

}  // namespace
}  // namespace paligemma
