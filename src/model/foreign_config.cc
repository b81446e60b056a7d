#include "model/foreign_config.h"

#include <cmath>

#include "io/json_fields.h"

namespace paligemma {
namespace {

// A field that says the size of an axis.
struct SizeField {
  const char* name;
  char axis;
  std::int64_t factor = 1;
};

constexpr SizeField kBigVisionSizes[] = {{"patch", 'i'},        {"vit_width", 'e'}, {"vit_depth", 'b'},
                                         {"vit_mlp", 'u'},      {"vit_heads", 'm'}, {"width", 'd'},
                                         {"depth", 'l'},        {"mlp_dim", 'f'},   {"num_heads", 'n'},
                                         {"num_kv_heads", 'k'}, {"head_dim", 'h'},  {"vocab_size", 'v'}};

constexpr Limits<std::int64_t> kForeignCount{1, 1 << 20};

// intermediate_dim counts gate and up.
constexpr SizeField kKerasSizes[] = {
    {"vocabulary_size", 'v'}, {"num_layers", 'l'},     {"num_query_heads", 'n'},     {"num_key_value_heads", 'k'},
    {"hidden_dim", 'd'},      {"head_dim", 'h'},       {"intermediate_dim", 'f', 2}, {"vit_patch_size", 'i'},
    {"vit_hidden_dim", 'e'},  {"vit_num_layers", 'b'}, {"vit_num_heads", 'm'},       {"vit_intermediate_dim", 'u'}};

void agree(const JsonFields& fields, const char* key, std::int64_t actual) {
  fields.agree(key, actual, "the arrays say");
}

void agree(const JsonFields& fields, std::span<const SizeField> sizes, const AxisSizes& actual) {
  for (const SizeField& size : sizes) agree(fields, size.name, size.factor * actual[size.axis]);
}

float foreign_cap(const JsonFields& fields, const char* key, float fallback) {
  return static_cast<float>(fields.number(key, kFloatFromZero).value_or(fallback));
}

bool is_gemma2_27b(const DecoderConfig& d) {
  return d.gemma2 && d.width == 4608 && d.heads == 32 && d.head_size == 128;
}

float query_scale(const DecoderConfig& d, bool by_width) {
  const double base =
      by_width ? static_cast<double>(d.width) / static_cast<double>(d.heads) : static_cast<double>(d.head_size);
  return static_cast<float>(1 / std::sqrt(base));
}

// What the shapes of the arrays say, and constants of the family.
Config config_of(const LaidOut& model) {
  const AxisSizes& sizes = model.sizes;
  Config config;
  config.vision = {.width = sizes['e'],
                   .layers = sizes['b'],
                   .heads = sizes['m'],
                   .mlp = sizes['u'],
                   .patch = sizes['i'],
                   .grid = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(sizes['p']))))};
  config.decoder = {.gemma2 = model.gemma2,
                    .width = sizes['d'],
                    .layers = sizes['l'],
                    .heads = sizes['n'],
                    .kv_heads = sizes['k'],
                    .head_size = sizes['h'],
                    .mlp = sizes['f'],
                    .vocabulary = sizes['v'],
                    .attention_cap = model.gemma2 ? 50.0f : 0.0f,
                    .final_cap = model.gemma2 ? 30.0f : 0.0f,
                    .declared_window = model.gemma2 ? kNominalWindow : 0};
  config.decoder.query_scale = query_scale(config.decoder, is_gemma2_27b(config.decoder));
  return config;
}

// The files have no row for `<image>`: its id is the first one beyond them.
Config validated(const Config& config, const LaidOut& model, std::string_view where) {
  Config out = read_config(config_json(config, DType::f32), model.source.shape, where);
  out.image_token = static_cast<int>(out.decoder.vocabulary);
  return out;
}

[[noreturn]] void cannot_express(std::string_view format, std::string_view what) {
  fail(ErrorKind::usage, "cannot_express", "cannot convert: ", format, " has no way to say ", what);
}

// KerasHub has a field for the epsilon, and uses it in the decoder's last norm alone.
constexpr float kEpsilon = 1e-6f;

void require_constants(const Config& config, std::string_view format) {
  const DecoderConfig& d = config.decoder;
  if (!d.tied_head) cannot_express(format, "an output matrix apart from the embedding");
  if (d.rope_theta != 10000) cannot_express(format, join("a rope base of ", d.rope_theta));
  if (config.loc_divisor != 1023) cannot_express(format, join("a box divisor of ", config.loc_divisor));
  if (config.noise_boxes != 0) cannot_express(format, join("answers of ", config.noise_boxes, " boxes"));
  if (d.eps != kEpsilon || config.vision.eps != kEpsilon)
    cannot_express(format, join("epsilons of ", d.eps, " and ", config.vision.eps));
}

// Whether the scale is by width per head; refuses any third one.
bool scales_by_width(const DecoderConfig& d, std::string_view format) {
  const auto same = [&](bool by_width) { return std::abs(query_scale(d, by_width) - d.query_scale) < 1e-6f; };
  if (!same(false) && !same(true)) cannot_express(format, join("a query scale of ", d.query_scale));
  return !same(false);
}

}  // namespace

Config big_vision_config(const LaidOut& model, const Json& beside, std::string_view where) {
  Config config = config_of(model);
  if (!beside.is_null() && !beside.contains("model_type")) {
    DecoderConfig& d = config.decoder;
    const JsonFields fields = config_fields(beside, where);
    agree(fields, kBigVisionSizes, model.sizes);
    agree(fields, "image", config.vision.image_size());
    agree(fields, "family", d.gemma2 ? 2 : 1);
    fields.require("query_pre_attn_norm", {"rsqrt_head_dim", "rsqrt_emb_per_head"});
    if (const Json* norm = fields.find("query_pre_attn_norm"))
      d.query_scale = query_scale(d, *norm == "rsqrt_emb_per_head");
    d.attention_cap = foreign_cap(fields, "attn_logits_softcap", d.attention_cap);
    d.final_cap = foreign_cap(fields, "final_logits_softcap", d.final_cap);
    if (!d.gemma2 && (d.attention_cap != 0 || d.final_cap != 0 || query_scale(d, false) != d.query_scale))
      fail(ErrorKind::model, "config", "cannot use the configuration: ", where,
           ": expected no soft caps and the query scale of the head size for Gemma 1");
  }
  return validated(config, model, where);
}

Json big_vision_config_json(const Config& config) {
  constexpr std::string_view kFormat = "an npz";
  require_constants(config, kFormat);
  const DecoderConfig& d = config.decoder;
  const bool by_width = scales_by_width(d, kFormat);
  Json json = Json::object();
  if (by_width != is_gemma2_27b(d)) json["query_pre_attn_norm"] = by_width ? "rsqrt_emb_per_head" : "rsqrt_head_dim";
  if (d.gemma2 && d.attention_cap != 50) json["attn_logits_softcap"] = d.attention_cap;
  if (d.gemma2 && d.final_cap != 30) json["final_logits_softcap"] = d.final_cap;
  if (json.empty()) return json;
  const AxisSizes sizes = axis_sizes(config);
  for (const SizeField& field : kBigVisionSizes) json[field.name] = sizes[field.axis];
  json["image"] = config.vision.image_size();
  json["family"] = d.gemma2 ? 2 : 1;
  return json;
}

Config keras_config(const LaidOut& model, const Json& json, std::string_view where) {
  const JsonFields whole = config_fields(json, where);
  const Json* class_name = whole.find("class_name");
  if (!class_name || *class_name != "PaliGemmaBackbone" || !whole.find("config"))
    whole.refuse("class_name", "a PaliGemmaBackbone with its config");
  const JsonFields fields = whole.section("config");
  LaidOut sized{.source = model.source, .sizes = model.sizes, .gemma2 = model.gemma2, .meanings = {}};
  sized.sizes['m'] = fields.whole("vit_num_heads", kForeignCount).value_or(16);
  Config config = config_of(sized);
  DecoderConfig& d = config.decoder;
  agree(fields, kKerasSizes, sized.sizes);
  agree(fields, "image_size", config.vision.image_size());
  for (const char* key : {"use_post_ffw_norm", "use_post_attention_norm"})
    if (fields.flag(key).value_or(false) != d.gemma2) fields.refuse(key, d.gemma2 ? "true" : "false");
  for (const char* key : {"vit_pooling", "vit_classifier_activation"})
    if (fields.find(key)) fields.refuse(key, "null");
  d.attention_cap = foreign_cap(fields, "attention_logit_soft_cap", 0);
  d.final_cap = foreign_cap(fields, "final_logit_soft_cap", 0);
  const double epsilon = fields.number("layer_norm_epsilon", kPositiveFloat).value_or(kEpsilon);
  if (static_cast<float>(epsilon) != kEpsilon) fields.refuse("layer_norm_epsilon", "1e-06");
  d.declared_window = 0;
  if (d.gemma2 && fields.flag("use_sliding_window_attention").value_or(false))
    d.declared_window = fields.whole("sliding_window_size", kForeignCount).value_or(kNominalWindow);
  const bool by_width = !fields.flag("query_head_dim_normalize").value_or(true) || is_gemma2_27b(d);
  d.query_scale = query_scale(d, by_width);
  if (!d.gemma2 && (d.attention_cap != 0 || d.final_cap != 0 || query_scale(d, false) != d.query_scale))
    fail(ErrorKind::model, "config", "cannot use the configuration: ", where,
         ": expected no soft caps and the query scale of the head size for Gemma 1");
  return validated(config, model, where);
}

Json keras_config_json(const Config& config, DType dtype) {
  constexpr std::string_view kFormat = "a KerasHub preset";
  require_constants(config, kFormat);
  const DecoderConfig& d = config.decoder;
  const auto cap = [](float value) { return value == 0 ? Json(nullptr) : Json(value); };
  Json fields = {{"name", "pali_gemma_backbone"}, {"trainable", true}};
  const char* type = dtype == DType::f32 ? "float32" : dtype == DType::bf16 ? "bfloat16" : "float16";
  fields["dtype"] = {
      {"module", "keras"}, {"class_name", "DTypePolicy"}, {"config", {{"name", type}}}, {"registered_name", nullptr}};
  const AxisSizes sizes = axis_sizes(config);
  for (const SizeField& field : kKerasSizes) fields[field.name] = field.factor * sizes[field.axis];
  fields["image_size"] = config.vision.image_size();
  for (const char* key : {"vit_pooling", "vit_classifier_activation", "vit_name"}) fields[key] = nullptr;
  fields["query_head_dim_normalize"] = !scales_by_width(d, kFormat);
  fields["use_post_ffw_norm"] = d.gemma2;
  fields["use_post_attention_norm"] = d.gemma2;
  fields["final_logit_soft_cap"] = cap(d.final_cap);
  fields["attention_logit_soft_cap"] = cap(d.attention_cap);
  fields["sliding_window_size"] = d.declared_window != 0 ? d.declared_window : kNominalWindow;
  fields["use_sliding_window_attention"] = d.declared_window != 0;
  fields["layer_norm_epsilon"] = shortest_decimal(kEpsilon);
  fields["dropout"] = 0;
  return {{"module", "keras_hub.src.models.pali_gemma.pali_gemma_backbone"},
          {"class_name", "PaliGemmaBackbone"},
          {"config", fields},
          {"registered_name", "keras_hub>PaliGemmaBackbone"}};
}

}  // namespace paligemma
