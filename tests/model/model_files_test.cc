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

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using testing::golden;

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
  expect_refused(R"({"query_pre_attn_norm": "none"})", "rsqrt_head_dim or rsqrt_emb_per_head, got \"none\"");
  expect_refused(R"({"final_logits_softcap": -1})", "final_logits_softcap");
  expect_refused("[]", "expected an object");
}

}  // namespace
}  // namespace paligemma
