#include "model/keras_groups.h"

#include <string_view>

#include "model/layout.h"

namespace paligemma {
namespace {

enum class When { always, gemma2 };

// * in a group is the layer's suffix as in layout.h; in a name # is the layer's number and * that suffix.
struct Group {
  std::string_view path, name;
  When when = When::always;
};

constexpr Group kGroups[] = {
    {"", "pali_gemma_backbone"},
    {"layers/input_layer/", "token_ids"},
    {"layers/input_layer_1/", "images"},
    {"layers/input_layer_2/", "padding_mask"},
    {"layers/input_layer_3/", "response_mask"},
    {"layers/reversible_embedding/", "token_embedding"},
    {"layers/rms_normalization/", "final_normalization"},
#define VISION "layers/pali_gemma_vit/"
    {VISION, "pali_gemma_vit"},
    {VISION "layers/dense/", "image_classifier"},
    {VISION "layers/input_layer/", "images"},
#define ENCODER VISION "layers/pali_gemma_vit_encoder/"
    {ENCODER, "image_encoder"},
    {ENCODER "encoder_layer_norm/", "encoder_layer_norm"},
    {ENCODER "vision_embeddings/", "encoder_embeddings"},
    {ENCODER "vision_embeddings/patch_embedding/", "embedding_conv"},
    {ENCODER "vision_embeddings/position_embedding/", "position_embedding"},
};

constexpr Group kVisionBlock[] = {
#define BLOCK ENCODER "resblocks/pali_gemma_vit_encoder_block*/"
    {BLOCK, "encoder_block_#"},
    {BLOCK "attn/", "multi_head_attention"},
    {BLOCK "attn/dropout_layer/", "dropout"},
    {BLOCK "attn/query_proj/", "query_proj"},
    {BLOCK "attn/key_proj/", "key_proj"},
    {BLOCK "attn/value_proj/", "value_proj"},
    {BLOCK "attn/out_proj/", "out_proj"},
    {BLOCK "layer_norm_1/", "layer_norm_1"},
    {BLOCK "layer_norm_2/", "layer_norm_2"},
    {BLOCK "mlp_dense_1/", "mlp_dense_1"},
    {BLOCK "mlp_dense_2/", "mlp_dense_2"},
#undef BLOCK
#undef ENCODER
#undef VISION
};

constexpr Group kDecoderBlock[] = {
#define BLOCK "layers/pali_gemma_decoder_block*/"
    {BLOCK, "decoder_block_#"},
    {BLOCK "attention/", "attention"},
    {BLOCK "attention/dropout_layer/", "dropout*"},
    {BLOCK "attention/rope_layer/", "rotary_embedding*"},
    {BLOCK "attention/softmax/", "softmax*"},
    {BLOCK "attention/query_dense/", "query"},
    {BLOCK "attention/key_dense/", "key"},
    {BLOCK "attention/value_dense/", "value"},
    {BLOCK "attention/output_dense/", "attention_output"},
    {BLOCK "pre_attention_norm/", "pre_attention_norm"},
    {BLOCK "post_attention_norm/", "post_attention_norm", When::gemma2},
    {BLOCK "pre_ffw_norm/", "pre_ffw_norm"},
    {BLOCK "post_ffw_norm/", "post_ffw_norm", When::gemma2},
    {BLOCK "gating_ffw/", "ffw_gating"},
    {BLOCK "gating_ffw_2/", "ffw_gating_2"},
    {BLOCK "ffw_linear/", "ffw_linear"},
#undef BLOCK
};

std::string replaced(std::string_view text, char mark, const std::string& by) {
  std::string out;
  for (const char c : text) c == mark ? out += by : out += c;
  return out;
}

void add(std::span<const Group> groups, std::int64_t layers, bool gemma2, std::map<std::string, std::string>& names) {
  for (const Group& group : groups)
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      if (group.when == When::gemma2 && !gemma2) continue;
      const std::string suffix = keras_layout().layer_name(layer);
      names.emplace(replaced(group.path, '*', suffix) + "vars",
                    replaced(replaced(group.name, '*', suffix), '#', std::to_string(layer)));
    }
}

}  // namespace

std::map<std::string, std::string> keras_group_names(const Config& config) {
  std::map<std::string, std::string> names;
  add(kGroups, 1, config.decoder.gemma2, names);
  add(kVisionBlock, config.vision.layers, config.decoder.gemma2, names);
  add(kDecoderBlock, config.decoder.layers, config.decoder.gemma2, names);
  return names;
}

}  // namespace paligemma
