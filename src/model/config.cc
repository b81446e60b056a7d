#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace paligemma {
namespace {

using Shape = std::vector<std::int64_t>;

// One section of config.json ("text_config"), read field by field.
class Section {
 public:
  Section(const Json& root, std::string_view name, std::string_view where) : name_(name), where_(where) {
    static const Json empty = Json::object();
    const auto at = root.find(name_);
    json_ = at == root.end() || at->is_null() ? &empty : &*at;
    if (!json_->is_object()) complain("", "an object", at->dump());
  }

  bool has(const char* key) const { return json_->contains(key) && !json_->at(key).is_null(); }

  std::optional<std::int64_t> integer(const char* key) const {
    if (!has(key)) return {};
    const Json& value = json_->at(key);
    if (!value.is_number_integer() || value.get<std::int64_t>() <= 0 || value.get<std::int64_t>() > 1 << 30)
      complain(key, "a positive integer", value.dump());
    return value.get<std::int64_t>();
  }

  double number(const char* key, double fallback) const {
    if (!has(key)) return fallback;
    const Json& value = json_->at(key);
    // Also as the float that most of them become: a soft cap that is infinite there would make NaN of everything.
    if (!value.is_number() || !(value.get<double>() >= std::numeric_limits<float>::min()) ||
        value.get<double>() > std::numeric_limits<float>::max())
      complain(key, "a positive number that fits a float", value.dump());
    return value.get<double>();
  }

  // A soft cap: absent means the default of the class, null means none.
  float cap(const char* key, float fallback) const {
    if (json_->contains(key) && json_->at(key).is_null()) return 0;
    return static_cast<float>(number(key, fallback));
  }

  // The value decided by the tensors, held against the field when it is there.
  std::int64_t agree(const char* key, std::int64_t actual, std::string_view tensor) const {
    const auto declared = integer(key);
    if (declared && *declared != actual)
      fail(ErrorKind::model, "config", "the configuration disagrees with the tensors: ", where_, ": ", name_, ".", key,
           " is ", *declared, ", ", tensor, " says ", actual);
    return actual;
  }

  void require(const char* key, std::initializer_list<Json> allowed) const {
    if (!has(key)) return;
    for (const Json& value : allowed)
      if (json_->at(key) == value) return;
    complain(key, allowed.begin()->dump(), json_->at(key).dump());
  }

  [[noreturn]] void complain(const char* key, std::string_view expected, std::string_view got) const {
    fail(ErrorKind::model, "config", "cannot use the configuration: ", where_, ": ", name_, *key ? "." : "", key,
         ": expected ", expected, ", got ", got);
  }

  const Json& json() const { return *json_; }

 private:
  std::string name_;
  std::string where_;
  const Json* json_;
};

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

VisionConfig read_vision(const Section& section, const Tensors& tensors) {
  const std::string root = "vision_tower.vision_model.";
  const Shape conv = tensors.shape(root + "embeddings.patch_embedding.weight", 4);
  const Shape positions = tensors.shape(root + "embeddings.position_embedding.weight", 2);
  const Shape fc1 = tensors.shape(root + "encoder.layers.0.mlp.fc1.weight", 2);
  VisionConfig vision;
  vision.width = section.agree("hidden_size", conv[0], "the patch embedding");
  vision.patch = section.agree("patch_size", conv[2], "the patch embedding");
  if (conv[1] != 3 || conv[2] != conv[3])
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": the patch embedding: expected 3 channels and square patches, got ", conv[1], "x", conv[2], "x", conv[3]);
  vision.grid = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(positions[0]))));
  if (vision.grid * vision.grid != positions[0])
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": the position embedding: expected a square number of rows, got ", positions[0]);
  section.agree("image_size", vision.image_size(), "the position embedding");
  vision.mlp = section.agree("intermediate_size", fc1[0], "fc1");
  vision.layers = section.agree("num_hidden_layers", tensors.layers(root + "encoder.layers.", ".mlp.fc1.weight"),
                                "the number of layers");
  vision.heads = section.integer("num_attention_heads").value_or(16);
  if (vision.width % vision.heads != 0)
    section.complain("num_attention_heads", join("a divisor of ", vision.width), std::to_string(vision.heads));
  vision.eps = static_cast<float>(section.number("layer_norm_eps", 1e-6));
  section.require("hidden_act", {"gelu_pytorch_tanh"});
  section.require("num_channels", {3});
  return vision;
}

// Of Gemma 2. Layers slide by turns, the first one does; files that list the layers say so, or that none slides.
std::int64_t declared_window(const Section& section) {
  const Json& json = section.json();
  if (json.contains("sliding_window") && json.at("sliding_window").is_null()) return 0;
  const std::int64_t window = section.integer("sliding_window").value_or(kNominalWindow);
  if (!section.has("layer_types")) return window;
  const Json& types = json.at("layer_types");
  if (!types.is_array()) section.complain("layer_types", "a list", types.dump());
  if (std::ranges::count(types, "sliding_attention") == 0) return 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const char* expected = i % 2 == 0 ? "sliding_attention" : "full_attention";
    if (types[i] != expected) section.complain("layer_types", join(expected, " at ", i), types[i].dump());
  }
  return window;
}

DecoderConfig read_decoder(const Section& section, const Tensors& tensors) {
  const std::string root = "language_model.model.";
  const std::string block = root + "layers.0.";
  const Shape embedding = tensors.shape(root + "embed_tokens.weight", 2);
  const Shape q = tensors.shape(block + "self_attn.q_proj.weight", 2);
  const Shape k = tensors.shape(block + "self_attn.k_proj.weight", 2);
  const Shape gate = tensors.shape(block + "mlp.gate_proj.weight", 2);
  DecoderConfig decoder;
  decoder.gemma2 = tensors.lookup(block + "pre_feedforward_layernorm.weight").has_value();
  section.require("model_type", {decoder.gemma2 ? "gemma2" : "gemma"});
  decoder.vocabulary = section.agree("vocab_size", embedding[0], "the embedding");
  decoder.width = section.agree("hidden_size", embedding[1], "the embedding");
  decoder.mlp = section.agree("intermediate_size", gate[0], "gate_proj");
  decoder.layers = section.agree("num_hidden_layers", tensors.layers(root + "layers.", ".mlp.gate_proj.weight"),
                                 "the number of layers");
  decoder.heads = section.integer("num_attention_heads").value_or(8);
  if (q[0] % decoder.heads != 0)
    section.complain("num_attention_heads", join("a divisor of q_proj's ", q[0], " rows"),
                     std::to_string(decoder.heads));
  decoder.head_size = section.agree("head_dim", q[0] / decoder.heads, "q_proj");
  if (k[0] % decoder.head_size != 0 || decoder.head_size % 2 != 0)
    fail(ErrorKind::model, "config", "cannot load the model: ", tensors.where,
         ": k_proj: expected a multiple of the even head size ", decoder.head_size, ", got ", k[0], " rows");
  decoder.kv_heads = section.agree("num_key_value_heads", k[0] / decoder.head_size, "k_proj");
  if (decoder.heads % decoder.kv_heads != 0)
    section.complain("num_key_value_heads", join("a divisor of ", decoder.heads), std::to_string(decoder.kv_heads));

  const double scale_base =
      decoder.gemma2 ? section.number("query_pre_attn_scalar", 256) : static_cast<double>(decoder.head_size);
  decoder.query_scale = static_cast<float>(1 / std::sqrt(scale_base));
  if (decoder.gemma2) {
    decoder.attention_cap = section.cap("attn_logit_softcapping", 50);
    decoder.final_cap = section.cap("final_logit_softcapping", 30);
    decoder.declared_window = declared_window(section);
  }
  decoder.eps = static_cast<float>(section.number("rms_norm_eps", 1e-6));
  decoder.max_positions = section.integer("max_position_embeddings").value_or(8192);
  decoder.rope_theta = section.number("rope_theta", 10000);
  if (section.has("rope_parameters")) {
    const Section rope(section.json(), "rope_parameters", tensors.where);
    rope.require("rope_type", {"default"});
    decoder.rope_theta = rope.number("rope_theta", decoder.rope_theta);
  }
  if (section.has("rope_scaling")) section.complain("rope_scaling", "null", section.json().at("rope_scaling").dump());
  // The old Gemma files say "gelu" and have always meant the tanh form.
  section.require("hidden_activation", {"gelu_pytorch_tanh"});
  section.require("hidden_act", {"gelu_pytorch_tanh", "gelu"});
  section.require("attention_bias", {false});
  decoder.tied_head = !(section.has("tie_word_embeddings") && section.json().at("tie_word_embeddings") == false);
  return decoder;
}

}  // namespace

Config read_config(const Json& json, const ShapeLookup& shape, std::string_view where) {
  if (!json.is_object())
    fail(ErrorKind::model, "config", "cannot use the configuration: ", where, ": expected an object");
  if (const auto type = json.find("model_type"); type != json.end() && *type != "paligemma")
    fail(ErrorKind::model, "not_paligemma", "cannot use the configuration: ", where,
         ": model_type: expected \"paligemma\", got ", type->dump());
  const Tensors tensors{shape, where};
  Config config;
  config.vision = read_vision(Section(json, "vision_config", where), tensors);
  config.decoder = read_decoder(Section(json, "text_config", where), tensors);
  for (const char* key : {"image_token_index", "image_token_id"}) {
    const auto id = json.find(key);
    if (id == json.end() || id->is_null()) continue;
    if (!id->is_number_integer() || *id < 0 || *id >= config.decoder.vocabulary)
      fail(ErrorKind::model, "config", "cannot use the configuration: ", where, ": ", key, ": expected an id below ",
           config.decoder.vocabulary, ", got ", id->dump());
    config.image_token = id->get<int>();
  }
  if (const auto divisor = json.find("paligemma_loc_divisor"); divisor != json.end()) {
    if (*divisor != 1023 && *divisor != 1024)
      fail(ErrorKind::model, "config", "cannot use the configuration: ", where,
           ": paligemma_loc_divisor: expected 1023 or 1024, got ", divisor->dump());
    config.loc_divisor = divisor->get<int>();
  }
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
