// Which fields of config.json matter, and what happens when they disagree with the tensors.
#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/checkpoint.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma {
namespace {

using test::golden;
using test::golden_json;
using ::testing::HasSubstr;

struct Files {
  explicit Files(const std::string& name)
      : checkpoint(Folder::on_disk(golden("models/" + name), ErrorKind::model)),
        source(checkpoint.source()),
        json(golden_json("models/" + name + "/config.json")) {}

  Config read() const { return read_config(json, source.shape, "config.json"); }
  std::string error() const {
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model);
      return error.what();
    }
    return "no error";
  }

  Checkpoint checkpoint;
  TensorSource source;
  Json json;
};

TEST(Config, SparseFileTakesDefaultsAndShapes) {
  const Config config = Files("pg1").read();
  EXPECT_FALSE(config.decoder.gemma2);
  EXPECT_EQ(config.decoder.head_size, 256);
  EXPECT_EQ(config.vision.image_size(), 224);
  EXPECT_EQ(config.vision.tokens(), 256);
  EXPECT_FLOAT_EQ(config.decoder.query_scale, 1.0f / 16);
  EXPECT_EQ(config.decoder.attention_cap, 0);
  EXPECT_EQ(config.decoder.final_cap, 0);
  EXPECT_EQ(config.image_token, 2310);
  EXPECT_EQ(config.loc_divisor, 1023);
}

TEST(Config, NoiseBoxes) {
  Files files("pg1");
  EXPECT_EQ(files.read().noise_boxes, 0);
  files.json["paligemma_noise_boxes"] = 100;
  const Config config = files.read();
  EXPECT_EQ(config.noise_boxes, 100);
  EXPECT_EQ(config_json(config, DType::bf16).at("paligemma_noise_boxes"), 100);
  files.json["paligemma_noise_boxes"] = 1000;
  expect_error(ErrorKind::model, "config", "paligemma_noise_boxes", [&] { files.read(); });
}

TEST(Config, ScoreCalibration) {
  Files files("pg1");
  EXPECT_EQ(files.read().score_calibration, std::nullopt);
  EXPECT_FALSE(config_json(files.read(), DType::bf16).contains("paligemma_score_slope"));
  files.json["paligemma_score_slope"] = 0, files.json["paligemma_score_offset"] = -2.5;
  EXPECT_EQ(files.read().score_calibration, (ScoreCalibration{0, -2.5}));
  const Json written = config_json(files.read(), DType::bf16);
  EXPECT_EQ(written.at("paligemma_score_slope"), 0);
  EXPECT_EQ(written.at("paligemma_score_offset"), -2.5);
  for (const Json& bad : {Json(-1e-9), Json("1"), Json(1e200), Json(nullptr), Json(true)}) {
    files.json["paligemma_score_slope"] = bad;
    EXPECT_THAT(files.error(), HasSubstr("paligemma_score_slope: expected a number")) << bad;
  }
  files.json["paligemma_score_slope"] = 1;
  for (const Json& bad : {Json("1"), Json(-1e200), Json(nullptr), Json::array()}) {
    files.json["paligemma_score_offset"] = bad;
    EXPECT_THAT(files.error(), HasSubstr("paligemma_score_offset: expected a number")) << bad;
  }
}

// The window that a file declares; layers take turns, or none slides.
TEST(Config, DeclaredWindow) {
  EXPECT_EQ(Files("pg1").read().decoder.declared_window, 0);
  EXPECT_EQ(Files("pg2").read().decoder.declared_window, 4096);
  EXPECT_EQ(Files("pg2-28b-like").read().decoder.declared_window, 4096);
  Files files("pg2-28b-like");
  EXPECT_EQ(files.read().decoder.window, 0);
  Json& text = files.json["text_config"];
  text["sliding_window"] = 512;
  EXPECT_EQ(files.read().decoder.declared_window, 512);
  text["layer_types"] = {"full_attention", "sliding_attention", "full_attention"};
  EXPECT_THAT(files.error(), HasSubstr("layer_types: expected sliding_attention at 0, got \"full_attention\""));
  text["layer_types"] = {"full_attention", "full_attention", "full_attention"};
  EXPECT_EQ(files.read().decoder.declared_window, 0);
  text["layer_types"] = "sliding_attention";
  EXPECT_THAT(files.error(), HasSubstr("layer_types: expected a list"));
  text.erase("layer_types");
  text["sliding_window"] = nullptr;
  EXPECT_EQ(files.read().decoder.declared_window, 0);
}

TEST(Config, FullFileOfPaliGemma2) {
  const Config config = Files("pg2-28b-like").read();
  EXPECT_TRUE(config.decoder.gemma2);
  EXPECT_EQ(config.decoder.heads, 6);
  EXPECT_EQ(config.decoder.kv_heads, 3);
  EXPECT_EQ(config.decoder.head_size, 16);
  EXPECT_FLOAT_EQ(config.decoder.query_scale, 1 / std::sqrt(12.0f));  // not the head size's
  EXPECT_EQ(config.decoder.attention_cap, 50);
  EXPECT_EQ(config.decoder.final_cap, 30);
}

TEST(Config, NullSoftCapIsNone) {
  EXPECT_EQ(Files("pg2-f16").read().decoder.attention_cap, 0);
  EXPECT_EQ(Files("pg2-f16").read().decoder.final_cap, 0);
}

TEST(Config, FieldsThatAreWrongInPublishedFilesAreNotRead) {
  Files files("pg2");
  ASSERT_EQ(files.json["hidden_size"], 2048);  // the decoder's is 64
  files.json["hidden_size"] = 77;
  files.json["vision_config"]["num_positions"] = 77;
  files.json["vision_config"]["projector_hidden_act"] = "anything";
  EXPECT_EQ(files.read().decoder.width, 64);
}

TEST(Config, UsedFieldThatDisagreesIsShownWithTheTensor) {
  const std::vector<std::tuple<const char*, const char*, int>> fields{
      {"text_config", "hidden_size", 64},        {"text_config", "intermediate_size", 112},
      {"text_config", "num_hidden_layers", 4},   {"text_config", "num_key_value_heads", 2},
      {"text_config", "head_dim", 24},           {"text_config", "vocab_size", 2368},
      {"vision_config", "hidden_size", 48},      {"vision_config", "intermediate_size", 80},
      {"vision_config", "num_hidden_layers", 3}, {"vision_config", "patch_size", 14},
      {"vision_config", "image_size", 56}};
  for (const auto& [section, field, actual] : fields) {
    Files files("pg2");
    files.json[section][field] = actual + 8;
    EXPECT_THAT(files.error(), HasSubstr(std::string(section) + "." + field + " is " + std::to_string(actual + 8)));
    EXPECT_THAT(files.error(), HasSubstr("says " + std::to_string(actual)));
  }
}

TEST(Config, OtherComputationsAreRefused) {
  const auto with = [](const char* section, const char* field, const Json& value) {
    Files files("pg2");
    files.json[section][field] = value;
    return files.error();
  };
  EXPECT_THAT(with("text_config", "model_type", "gemma"), HasSubstr("model_type: expected \"gemma2\", got \"gemma\""));
  EXPECT_THAT(with("text_config", "hidden_activation", "relu"), HasSubstr("relu"));
  EXPECT_THAT(with("text_config", "attention_bias", true), HasSubstr("attention_bias"));
  EXPECT_THAT(with("text_config", "rope_scaling", Json{{"factor", 2}}), HasSubstr("rope_scaling"));
  EXPECT_THAT(with("text_config", "rope_parameters", Json{{"rope_type", "yarn"}}), HasSubstr("rope_type"));
  EXPECT_THAT(with("vision_config", "hidden_act", "quick_gelu"), HasSubstr("quick_gelu"));
  EXPECT_THAT(with("text_config", "num_attention_heads", 5), HasSubstr("num_attention_heads"));
  EXPECT_THAT(with("text_config", "rms_norm_eps", "x"), HasSubstr("rms_norm_eps"));
  Files other("pg2");
  other.json["model_type"] = "llava";
  EXPECT_THAT(other.error(), HasSubstr("llava"));
}

TEST(Config, NumbersMustFitAFloat) {
  for (const double value : {0.0, -1.0, 1e300, 1e-300}) {
    Files files("pg2-28b-like");
    files.json["text_config"]["final_logit_softcapping"] = value;
    EXPECT_THAT(files.error(), HasSubstr("final_logit_softcapping: expected a positive number that fits a float"));
  }
}

TEST(Config, BothSpellingsOfRopeAndImageToken) {
  Files files("pg2");
  files.json["text_config"].erase("rope_theta");
  files.json["text_config"]["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}};
  files.json.erase("image_token_index");
  files.json["image_token_id"] = 2311;
  EXPECT_EQ(files.read().decoder.rope_theta, 500);
  EXPECT_EQ(files.read().image_token, 2311);
}

TEST(Config, MissingTensorIsNamed) {
  Files files("pg1");
  const ShapeLookup without = [&](std::string_view name) -> std::optional<std::vector<std::int64_t>> {
    if (name.ends_with("embed_tokens.weight")) return {};
    return files.source.shape(name);
  };
  try {
    read_config(files.json, without, "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "tensor_missing");
    EXPECT_THAT(error.what(), HasSubstr("embed_tokens.weight is missing"));
  }
}

}  // namespace
}  // namespace paligemma
