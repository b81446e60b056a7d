// Adapters that PEFT did not write as they stand, on the shapes of the golden model pg2.
#include "model/adapter.h"

#include <gtest/gtest.h>

#include <map>

#include "backend/backend.h"
#include "model/adapter_set.h"
#include "model/checkpoint.h"
#include "model/merge.h"
#include "support/allocations.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma {
namespace {

using test::golden;

constexpr const char* kQuery = "base_model.model.model.language_model.layers.0.self_attn.q_proj";

// The files of an adapter, put together in memory; what is read of it borrows from here.
class AdapterFile {
 public:
  AdapterFile& set(const std::string& key, Json value) {
    config_[key] = std::move(value);
    return *this;
  }
  AdapterFile& add(const std::string& key, const Shape& shape, const std::string& dtype = "F32") {
    const auto bytes = static_cast<std::size_t>(product(shape, 0)) * (dtype == "F32" ? 4 : dtype == "I64" ? 8 : 2);
    header_[key] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {size_, size_ + bytes}}};
    size_ += bytes;
    return *this;
  }
  // Of pg2's first query projection, (96, 64).
  AdapterFile& add_query(std::int64_t rank = 4) {
    return add(kQuery + std::string(".lora_A.weight"), {rank, 64})
        .add(kQuery + std::string(".lora_B.weight"), {96, rank});
  }

  Adapter read(const Config& config) {
    json_ = config_.dump();
    const std::string header = header_.dump();
    const std::uint64_t length = header.size();
    tensors_.assign(reinterpret_cast<const char*>(&length), sizeof length);
    tensors_ += header;
    for (std::size_t i = 0; i < size_; i += 2) tensors_ += std::string("\x00\x3f", 2);  // 0.5 in bf16, near it in f32
    files_ = {{"adapter_config.json", json_}, {tensor_file, tensors_}};
    const Folder folder{.name = "lora",
                        .has = [this](std::string_view name) { return files_.contains(name); },
                        .open =
                            [this](std::string_view name) {
                              return FileBytes::borrow(std::as_bytes(std::span(files_.find(name)->second)));
                            }};
    return read_adapter(folder, "lora", config);
  }

  std::string tensor_file = "adapter_model.safetensors";

 private:
  Json config_ = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
  Json header_ = Json::object();
  std::size_t size_ = 0;
  std::string json_, tensors_;
  std::map<std::string, std::string, std::less<>> files_;
};

class AdapterTest : public ::testing::Test {
 protected:
  void expect_refused(AdapterFile file, std::string_view code, std::string_view part) const {
    expect_error(ErrorKind::model, code, part, [&] { file.read(config); });
  }

  const Checkpoint checkpoint{Folder::on_disk(golden("models/pg2"), ErrorKind::model)};
  const TensorSource source = checkpoint.source();
  const Config config = read_config(Folder::on_disk(golden("models/pg2"), ErrorKind::model), source.shape);
};

TEST_F(AdapterTest, FactorsFollowTheConfiguration) {
  const std::string query = "language_model.model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(AdapterFile().add_query().read(config).products.at(query).factor, 2);
  EXPECT_EQ(AdapterFile().set("use_rslora", true).add_query().read(config).products.at(query).factor, 4);
  EXPECT_EQ(AdapterFile().set("lora_alpha", 3.5).add_query().read(config).products.at(query).factor, 0.875);
  const Adapter patterns = AdapterFile()
                               .set("rank_pattern", {{"k_proj", 9}, {R"(layers\.0\..*)", 2}, {"q_proj", 3}})
                               .set("alpha_pattern", {{"self_attn.q_proj", 5}})
                               .add_query(2)
                               .read(config);
  EXPECT_EQ(patterns.products.at(query).factor, 2.5);
  // A pattern written for the names of today, and a file with those of before.
  const std::string older = "base_model.model.language_model.model.layers.0.self_attn.q_proj";
  AdapterFile file;
  file.set("alpha_pattern", {{R"(model\.language_model\.layers\.0\..*)", 12}});
  file.add(older + ".lora_A.weight", {4, 64}).add(older + ".lora_B.weight", {96, 4});
  EXPECT_EQ(file.read(config).products.at(query).factor, 3);
  // The defaults of PEFT.
  EXPECT_EQ(
      AdapterFile().set("r", nullptr).set("lora_alpha", nullptr).add_query(8).read(config).products.at(query).factor,
      1);
}

TEST_F(AdapterTest, EveryTensorHasAUse) {
  for (const char* key : {"base_model.model.model.language_model.layers.4.self_attn.q_proj.lora_A.weight",
                          "base_model.model.model.language_model.layers.0.self_attn.qkv_proj.lora_A.weight",
                          "base_model.model.model.language_model.layers.0.input_layernorm.lora_A.weight",
                          "base_model.model.model.language_model.embed_tokens.lora_A.weight",
                          "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_embedding_A",
                          "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.default.weight",
                          "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_C.weight",
                          "base_model.model.model.language_model.layers.0.self_attn.q_proj.bias",
                          "base_model.model.score.weight", "lora_A.weight", "x"})
    expect_refused(AdapterFile().add_query().add(key, {4, 64}), "adapter_key", key);
  expect_refused(AdapterFile().add_query().add(std::string(kQuery) + ".lora_magnitude_vector", {96}), "adapter_key",
                 "lora_magnitude_vector");
  expect_refused(AdapterFile().add_query().add(std::string(kQuery) + ".lora_B.bias", {96}), "adapter_key",
                 "lora_B.bias");
  expect_refused(AdapterFile().add_query().add("steps", {1}, "I64"), "adapter_key", "steps");
  expect_refused(AdapterFile().add_query().add("model.language_model.layers.0.self_attn.q_proj.lora_A.weight", {4, 64}),
                 "tensor_twice", "q_proj");
}

TEST_F(AdapterTest, WhatIsMissingIsNamed) {
  expect_refused(AdapterFile().add(std::string(kQuery) + ".lora_A.weight", {4, 64}), "adapter_missing",
                 std::string(kQuery) + ".lora_B.weight");
  expect_refused(AdapterFile().add(std::string(kQuery) + ".lora_B.weight", {96, 4}), "adapter_missing",
                 std::string(kQuery) + ".lora_A.weight");
  expect_refused(AdapterFile().set("use_dora", true).add_query(), "adapter_missing", "lora_magnitude_vector");
  expect_refused(AdapterFile().set("lora_bias", true).add_query(), "adapter_missing", "lora_B.bias");
  expect_refused(AdapterFile(), "adapter_missing", "got none");
  expect_refused(AdapterFile()
                     .set("modules_to_save", {"multi_modal_projector"})
                     .add_query()
                     .add("base_model.model.model.multi_modal_projector.linear.weight", {64, 48}),
                 "adapter_missing", "multi_modal_projector.linear.bias");
}

TEST_F(AdapterTest, ShapesAndRanksThatDisagreeAreShown) {
  expect_refused(AdapterFile().add_query(5), "adapter_shape", "expected shape [4, 64], got [5, 64]");
  expect_refused(AdapterFile().set("rank_pattern", {{"q_proj", 7}}).add_query(), "adapter_shape",
                 "expected shape [7, 64], got [4, 64]");
  const std::string query = kQuery;
  expect_refused(AdapterFile().add(query + ".lora_A.weight", {4, 63}).add(query + ".lora_B.weight", {96, 4}),
                 "adapter_shape", "expected shape [4, 64], got [4, 63]");
  expect_refused(AdapterFile().add(query + ".lora_A.weight", {4, 64}).add(query + ".lora_B.weight", {4, 96}),
                 "adapter_shape", "expected shape [96, 4], got [4, 96]");
  expect_refused(AdapterFile().set("use_dora", true).add_query().add(query + ".lora_magnitude_vector", {95}),
                 "adapter_shape", "expected shape [96], got [95]");
  expect_refused(AdapterFile().add("base_model.model.model.multi_modal_projector.linear.weight", {48, 64}),
                 "adapter_shape", "expected shape [64, 48], got [48, 64]");
}

TEST_F(AdapterTest, SettingsThatAreNotComputedAreNamed) {
  const std::pair<const char*, Json> settings[] = {{"peft_type", "IA3"},
                                                   {"peft_type", nullptr},
                                                   {"use_qalora", true},
                                                   {"layer_replication", Json::parse("[[0, 4], [2, 5]]")},
                                                   {"trainable_token_indices", Json::parse("[1, 2]")},
                                                   {"target_parameters", Json::parse("[\"experts\"]")},
                                                   {"alora_invocation_tokens", Json::parse("[3]")},
                                                   {"arrow_config", Json::parse("{\"top_k\": 3}")},
                                                   {"use_bdlora", Json::parse("{\"nblocks\": 2}")},
                                                   {"init_lora_weights", "pissa_niter_4"},
                                                   {"init_lora_weights", "olora"},
                                                   {"use_what_comes_next", true},
                                                   {"r", 0},
                                                   {"r", -4},
                                                   {"r", 4.5},
                                                   {"r", "4"},
                                                   {"r", Json::parse("18446744073709551615")},
                                                   {"lora_alpha", "16"},
                                                   {"lora_alpha", 1e300},
                                                   {"use_dora", "yes"},
                                                   {"rank_pattern", Json::parse("[4]")},
                                                   {"rank_pattern", {{"q_proj", 0}}},
                                                   {"alpha_pattern", {{"q_proj", nullptr}}},
                                                   {"modules_to_save", "embed_tokens"}};
  for (const auto& [key, value] : settings)
    expect_refused(AdapterFile().set(key, value).add_query(), "adapter_config", key);
  for (const char* init : {"gaussian", "eva", "orthogonal"})
    EXPECT_NO_THROW(AdapterFile().set("init_lora_weights", init).add_query().read(config));
  EXPECT_NO_THROW(AdapterFile()
                      .set("fan_in_fan_out", true)
                      .set("qalora_group_size", 16)
                      .set("some_size", 3)
                      .set("use_later", false)
                      .set("later_config", nullptr)
                      .add_query()
                      .read(config));
}

TEST_F(AdapterTest, PickledTensorsAreRefusedWithAWayOut) {
  AdapterFile file;
  file.tensor_file = "adapter_model.bin";
  expect_refused(file.add_query(), "adapter_format", "save it again from PEFT as safetensors");
}

TEST_F(AdapterTest, WholeTensorsAreReadInAllSpellings) {
  for (const char* key : {"base_model.model.multi_modal_projector.linear.bias",
                          "base_model.model.model.multi_modal_projector.linear.bias",
                          "base_model.model.multi_modal_projector.modules_to_save.linear.bias",
                          "base_model.model.model.multi_modal_projector.linear.base_layer.bias"})
    EXPECT_TRUE(AdapterFile().add(key, {64}).read(config).replaced.contains("multi_modal_projector.linear.bias"))
        << key;
}

// A saved embedding is the tied head's too, one that is among modules_to_save is not: PEFT trains a copy of it.
TEST_F(AdapterTest, ATiedHeadFollowsASavedEmbedding) {
  const Shape shape{config.decoder.vocabulary, config.decoder.width};
  const char* key = "base_model.model.model.language_model.embed_tokens.weight";
  EXPECT_TRUE(AdapterFile().add(key, shape).read(config).replaced.contains(kHeadName));
  const Adapter alone = AdapterFile().set("modules_to_save", {"embed_tokens"}).add(key, shape).read(config);
  EXPECT_TRUE(alone.replaced.contains(kEmbeddingName));
  EXPECT_FALSE(alone.replaced.contains(kHeadName));
  const auto backend = make_cpu_backend({.threads = 1});
  expect_error(ErrorKind::model, "adapter_merge", "embedding", [&] { merged(source, alone, *backend); });
  expect_refused(AdapterFile().set("ensure_weight_tying", true).add(key, shape), "adapter_config",
                 "ensure_weight_tying");
}

TEST_F(AdapterTest, ABiasWithoutALayersBiasCannotBeMerged) {
  const std::string query = kQuery;
  const Adapter adapter =
      AdapterFile().set("lora_bias", true).add_query().add(query + ".lora_B.bias", {96}).read(config);
  const auto backend = make_cpu_backend({.threads = 1});
  expect_error(ErrorKind::model, "adapter_merge", "q_proj", [&] { merged(source, adapter, *backend); });
}

// What is said before loading is what is taken.
TEST_F(AdapterTest, BytesAreThoseThatArePlaced) {
  const auto backend = make_cpu_backend({.threads = 1});
  const Holding holding;
  Network network = load_network(config, source, holding, *backend);
  for (const char* name : {"plain", "dora", "projector"}) {
    const Adapter adapter =
        read_adapter(Folder::on_disk(golden(std::string("lora/") + name), ErrorKind::model), name, config);
    const AdapterSet set = place_adapter(adapter, network, config, source, holding, *backend);
    std::size_t bytes = 0;
    for (const auto& [weight, change] : set.products)
      for (const Weight* part : {&change.a, &change.b, &change.b_bias, &change.scale, &change.offset})
        bytes += part->bytes;
    for (const auto& [weight, whole] : set.replaced) bytes += whole.bytes;
    EXPECT_EQ(adapter_bytes(adapter, config, holding, *backend), bytes) << name;
  }
}

TEST(Merging, TakesWhatIsSaid) {
  const std::int64_t out = 2 * kPieceRows, width = 512, rank = 16;
  const std::vector<float> zeros(static_cast<std::size_t>(kPieceRows * width));
  const auto of_zeros = [&](const Shape& shape) {
    return HostTensor{DType::f32, shape,
                      std::as_bytes(std::span(zeros)).first(static_cast<std::size_t>(product(shape, 0)) * 4)};
  };
  Adapter adapter;
  adapter.products.emplace("w.weight", LowRankTensors{.a = of_zeros({rank, width}), .b = of_zeros({out, rank})});
  const TensorSource base{
      .shape = [&](std::string_view) { return Shape{out, width}; },
      .dtype = [](std::string_view) { return DType::f32; },
      .rows = [&](std::string_view, std::int64_t, std::int64_t count) { return of_zeros({count, width}); },
      .release = [](std::string_view) {}};
  const auto backend = make_cpu_backend({.threads = 1});
  const TensorSource source = merged(base, adapter, *backend);
  const std::size_t peak = test::peak_bytes([&] {
    for (const std::int64_t first : {std::int64_t{0}, kPieceRows}) source.rows("w.weight", first, kPieceRows);
    source.release("w.weight");
  });
  // What the back end takes is not seen.
  const std::size_t unseen = Arena::kChunkBytes + backend->matrix_bytes(width, rank, DType::f32);
  EXPECT_LE(peak, merging_bytes(adapter, *backend) - unseen + 1000);
  EXPECT_GE(peak, merging_bytes(adapter, *backend) - unseen - 100'000);
}

}  // namespace
}  // namespace paligemma
