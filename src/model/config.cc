#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "io/json_fields.h"

namespace paligemma {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr Limits<std::int64_t> kCount{1, 1 << 30};

// A soft cap: absent means the default of the class, null means none.
float soft_cap(const JsonFields& section, const char* key, float fallback) {
  if (section.object().contains(key) && !section.find(key)) return 0;
  return static_cast<float>(section.number(key, kPositiveFloat).value_or(fallback));
}

// Looks up shapes and counts layers.
struct Tensors {
  const ShapeLookup& lookup;
  std::string_view where;

  Shape shape(const std::string& name, std::size_t dimensions) const {
    const auto found = lookup(name);
    if (!found)
      fail(ErrorKind::model, "tensor_missing", "cannot load the model: ", where, ": tensor ", name, " is missing");
    if (found->size() != dimensions)
      fail(ErrorKind::model, "config", "cannot load the model: ", where, ": tensor ", name, ": expected ", dimensions,
           " dimensions, got ", found->size());
    for (const std::int64_t size : *found)
      if (size <= 0) fail(ErrorKind::model, "config", "cannot load the model: ", where, ": tensor ", name, " is empty");
    return *found;
  }

  std::int64_t layers(const std::string& prefix, const std::string& suffix) const {
    std::int64_t count = 0;
    while (lookup(prefix + std::to_string(count) + suffix)) ++count;
    return count;
  }
};

VisionConfig read_vision(const JsonFields& section, const Tensors& tensors) {
  const std::string root = "vision_tower.vision_model.";
  const Shape conv = tensors.shape(root + "embeddings.patch_embedding.weight", 4);
  const Shape positions = tensors.shape(root + "embeddings.position_embedding.weight", 2);
  const Shape fc1 = tensors.shape(root + "encoder.layers.0.mlp.fc1.weight", 2);
  VisionConfig vision;
  vision.width = section.agree("hidden_size", conv[0], "the patch embedding says");
  vision.patch = section.agree("patch_size", conv[2], "the patch embedding says");
  if (conv[1] != 3 || conv[2] != conv[3])
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": the patch embedding: expected 3 channels and square patches, got ", conv[1], "x", conv[2], "x", conv[3]);
  vision.grid = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(positions[0]))));
  if (vision.grid * vision.grid != positions[0])
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": the position embedding: expected a square number of rows, got ", positions[0]);
  section.agree("image_size", vision.image_size(), "the position embedding says");
  vision.mlp = section.agree("intermediate_size", fc1[0], "fc1 says");
  vision.layers = section.agree("num_hidden_layers", tensors.layers(root + "encoder.layers.", ".mlp.fc1.weight"),
                                "the number of layers says");
  vision.heads = section.whole("num_attention_heads", kCount).value_or(16);
  if (vision.width % vision.heads != 0)
    section.refuse("num_attention_heads", join("a divisor of ", vision.width), vision.heads);
  vision.eps = static_cast<float>(section.number("layer_norm_eps", kPositiveFloat).value_or(1e-6));
  section.require("hidden_act", {"gelu_pytorch_tanh"});
  section.require("num_channels", {3});
  return vision;
}

// Of Gemma 2. Layers slide by turns, the first one does; files that list the layers say so, or that none slides.
std::int64_t declared_window(const JsonFields& section) {
  if (section.object().contains("sliding_window") && !section.find("sliding_window")) return 0;
  const std::int64_t window = section.whole("sliding_window", kCount).value_or(kNominalWindow);
  const Json* types = section.find("layer_types");
  if (!types) return window;
  if (!types->is_array()) section.refuse("layer_types", "a list");
  if (std::ranges::count(*types, "sliding_attention") == 0) return 0;
  for (std::size_t i = 0; i < types->size(); ++i) {
    const char* expected = i % 2 == 0 ? "sliding_attention" : "full_attention";
    if ((*types)[i] != expected) section.refuse("layer_types", join(expected, " at ", i), (*types)[i]);
  }
  return window;
}

DecoderConfig read_decoder(const JsonFields& section, const Tensors& tensors) {
  const std::string root = "language_model.model.";
  const std::string block = root + "layers.0.";
  const Shape embedding = tensors.shape(root + "embed_tokens.weight", 2);
  const Shape q = tensors.shape(block + "self_attn.q_proj.weight", 2);
  const Shape k = tensors.shape(block + "self_attn.k_proj.weight", 2);
  const Shape gate = tensors.shape(block + "mlp.gate_proj.weight", 2);
  DecoderConfig decoder;
  decoder.gemma2 = tensors.lookup(block + "pre_feedforward_layernorm.weight").has_value();
  section.require("model_type", {decoder.gemma2 ? "gemma2" : "gemma"});
  decoder.vocabulary = section.agree("vocab_size", embedding[0], "the embedding says");
  decoder.width = section.agree("hidden_size", embedding[1], "the embedding says");
  decoder.mlp = section.agree("intermediate_size", gate[0], "gate_proj says");
  decoder.layers = section.agree("num_hidden_layers", tensors.layers(root + "layers.", ".mlp.gate_proj.weight"),
                                 "the number of layers says");
  decoder.heads = section.whole("num_attention_heads", kCount).value_or(8);
  if (q[0] % decoder.heads != 0)
    section.refuse("num_attention_heads", join("a divisor of q_proj's ", q[0], " rows"), decoder.heads);
  decoder.head_size = section.agree("head_dim", q[0] / decoder.heads, "q_proj says");
  if (k[0] % decoder.head_size != 0 || decoder.head_size % 2 != 0)
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": k_proj: expected a multiple of the even head size ", decoder.head_size, ", got ", k[0], " rows");
  decoder.kv_heads = section.agree("num_key_value_heads", k[0] / decoder.head_size, "k_proj says");
  if (decoder.heads % decoder.kv_heads != 0)
    section.refuse("num_key_value_heads", join("a divisor of ", decoder.heads), decoder.kv_heads);

  const double scale_base = decoder.gemma2 ? section.number("query_pre_attn_scalar", kPositiveFloat).value_or(256)
                                           : static_cast<double>(decoder.head_size);
  decoder.query_scale = static_cast<float>(1 / std::sqrt(scale_base));
  if (decoder.gemma2) {
    decoder.attention_cap = soft_cap(section, "attn_logit_softcapping", 50);
    decoder.final_cap = soft_cap(section, "final_logit_softcapping", 30);
    decoder.declared_window = declared_window(section);
  }
  decoder.eps = static_cast<float>(section.number("rms_norm_eps", kPositiveFloat).value_or(1e-6));
  decoder.max_positions = section.whole("max_position_embeddings", kCount).value_or(8192);
  decoder.rope_theta = section.number("rope_theta", kPositiveFloat).value_or(10000);
  const JsonFields rope = section.section("rope_parameters");
  rope.require("rope_type", {"default"});
  decoder.rope_theta = rope.number("rope_theta", kPositiveFloat).value_or(decoder.rope_theta);
  if (section.find("rope_scaling")) section.refuse("rope_scaling", "null");
  // The old Gemma files say "gelu" and have always meant the tanh form.
  section.require("hidden_activation", {"gelu_pytorch_tanh"});
  section.require("hidden_act", {"gelu_pytorch_tanh", "gelu"});
  section.require("attention_bias", {false});
  decoder.tied_head = section.flag("tie_word_embeddings").value_or(true);
  return decoder;
}

}  // namespace

JsonFields config_fields(const Json& json, std::string_view where) {
  return {json, {ErrorKind::model, "config", "cannot use the configuration", std::string(where)}};
}

Config read_config(const Json& json, const ShapeLookup& shape, std::string_view where) {
  const JsonFields fields = config_fields(json, where);
  if (const Json* type = fields.find("model_type"); type && *type != "paligemma")
    fail(ErrorKind::model, "not_paligemma", "cannot use the configuration: ", where,
         ": model_type: expected \"paligemma\", got ", dump_json(*type));
  const Tensors tensors{shape, where};
  Config config;
  config.vision = read_vision(fields.section("vision_config"), tensors);
  config.decoder = read_decoder(fields.section("text_config"), tensors);
  for (const char* key : {"image_token_index", "image_token_id"})
    if (const auto id = fields.whole(key, {0, config.decoder.vocabulary - 1}))
      config.image_token = static_cast<int>(*id);
  fields.require("paligemma_loc_divisor", {1023, 1024});
  config.loc_divisor = static_cast<int>(fields.whole("paligemma_loc_divisor", kCount).value_or(config.loc_divisor));
  config.noise_boxes = static_cast<int>(fields.whole("paligemma_noise_boxes", kNoiseBoxes).value_or(0));
  config.score_calibration = read_score_calibration(fields);
  return config;
}

Config read_config(const Folder& folder, const ShapeLookup& shape) {
  if (!folder.has("config.json"))
    fail(ErrorKind::model, "no_config", "no configuration: ", folder.name, ": expected config.json");
  const std::string where = folder.name + "/config.json";
  const FileBytes file = folder.open("config.json");
  return read_config(parse_json(file.text(), where, ErrorKind::model), shape, where);
}

}  // namespace paligemma
