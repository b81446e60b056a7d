// A Config as transformers' config.json.
#include <cmath>

#include "model/config.h"

namespace paligemma {
namespace {

// transformers stores the square of the inverse, as a whole number in all published files.
Json query_scalar(float scale) {
  const double scalar = 1 / (static_cast<double>(scale) * static_cast<double>(scale));
  const double whole = std::round(scalar);
  if (std::abs(scalar - whole) < 1e-5 * scalar) return static_cast<std::int64_t>(whole);
  return scalar;
}

Json cap(float value) { return value == 0 ? Json(nullptr) : Json(value); }

Json text_json(const Config& config, DType dtype) {
  const DecoderConfig& d = config.decoder;
  Json json = {{"model_type", d.gemma2 ? "gemma2" : "gemma"},
               {"vocab_size", d.vocabulary},
               {"hidden_size", d.width},
               {"intermediate_size", d.mlp},
               {"num_hidden_layers", d.layers},
               {"num_attention_heads", d.heads},
               {"num_key_value_heads", d.kv_heads},
               {"head_dim", d.head_size},
               {"hidden_act", "gelu_pytorch_tanh"},
               {"hidden_activation", "gelu_pytorch_tanh"},
               {"max_position_embeddings", d.max_positions},
               {"rms_norm_eps", shortest_decimal(d.eps)},
               {"rope_theta", d.rope_theta},
               {"attention_bias", false},
               {"attention_dropout", 0.0},
               {"num_image_tokens", config.vision.tokens()},
               {"tie_word_embeddings", d.tied_head},
               {"torch_dtype", dtype == DType::f32    ? "float32"
                               : dtype == DType::bf16 ? "bfloat16"
                                                      : "float16"}};
  if (d.gemma2) {
    json["query_pre_attn_scalar"] = query_scalar(d.query_scale);
    // transformers needs a number also where no layer slides.
    json["sliding_window"] = d.declared_window != 0 ? d.declared_window : kNominalWindow;
    if (d.declared_window == 0)
      json["layer_types"] = std::vector<std::string>(static_cast<std::size_t>(d.layers), "full_attention");
    json["attn_logit_softcapping"] = cap(d.attention_cap);
    json["final_logit_softcapping"] = cap(d.final_cap);
  }
  return json;
}

Json vision_json(const Config& config) {
  const VisionConfig& v = config.vision;
  return {{"model_type", "siglip_vision_model"},
          {"hidden_size", v.width},
          {"intermediate_size", v.mlp},
          {"num_hidden_layers", v.layers},
          {"num_attention_heads", v.heads},
          {"num_channels", 3},
          {"image_size", v.image_size()},
          {"patch_size", v.patch},
          {"num_image_tokens", v.tokens()},
          {"hidden_act", "gelu_pytorch_tanh"},
          {"layer_norm_eps", shortest_decimal(v.eps)},
          {"attention_dropout", 0.0},
          {"projection_dim", config.decoder.width},
          {"projector_hidden_act", "gelu_fast"},
          {"vision_use_head", false}};
}

}  // namespace

Json config_json(const Config& config, DType dtype) {
  Json json = {{"architectures", {"PaliGemmaForConditionalGeneration"}},
               {"model_type", "paligemma"},
               {"bos_token_id", 2},
               {"eos_token_id", 1},
               {"pad_token_id", 0},
               {"ignore_index", -100},
               {"vocab_size", config.decoder.vocabulary},
               {"hidden_size", config.decoder.width},
               {"projection_dim", config.decoder.width}};
  if (config.image_token) json["image_token_index"] = *config.image_token;
  if (config.loc_divisor != 1023) json["paligemma_loc_divisor"] = config.loc_divisor;
  if (config.noise_boxes != 0) json["paligemma_noise_boxes"] = config.noise_boxes;
  put_score_calibration(config.score_calibration, json);
  if (!config.decoder.tied_head) json["tie_word_embeddings"] = false;
  const Json text = text_json(config, dtype);
  json["torch_dtype"] = text.at("torch_dtype");
  json["text_config"] = text;
  json["vision_config"] = vision_json(config);
  return json;
}

}  // namespace paligemma
