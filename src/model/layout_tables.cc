// The tables of layout.h. Shapes: spec of each format as its own code writes it; big_vision stacks all blocks on a
// leading axis (scan), KerasHub numbers its layers by suffix.
#include "base/error.h"
#include "model/layout.h"

namespace paligemma {
namespace {

constexpr LayoutRow kBigVision[] = {
    {"vision_tower.vision_model.embeddings.patch_embedding.weight", "img/embedding/kernel", "ijce -> ecij"},
    {"vision_tower.vision_model.embeddings.patch_embedding.bias", "img/embedding/bias", "e -> e"},
    {"vision_tower.vision_model.embeddings.position_embedding.weight", "img/pos_embedding", "0pe -> pe"},
#define BLOCK "vision_tower.vision_model.encoder.layers.*."
#define STACK "img/Transformer/encoderblock/"
    {BLOCK "layer_norm1.weight", STACK "LayerNorm_0/scale", "be -> e"},
    {BLOCK "layer_norm1.bias", STACK "LayerNorm_0/bias", "be -> e"},
    {BLOCK "self_attn.q_proj.weight", STACK "MultiHeadDotProductAttention_0/query/kernel", "bemg -> (mg)e"},
    {BLOCK "self_attn.q_proj.bias", STACK "MultiHeadDotProductAttention_0/query/bias", "bmg -> (mg)"},
    {BLOCK "self_attn.k_proj.weight", STACK "MultiHeadDotProductAttention_0/key/kernel", "bemg -> (mg)e"},
    {BLOCK "self_attn.k_proj.bias", STACK "MultiHeadDotProductAttention_0/key/bias", "bmg -> (mg)"},
    {BLOCK "self_attn.v_proj.weight", STACK "MultiHeadDotProductAttention_0/value/kernel", "bemg -> (mg)e"},
    {BLOCK "self_attn.v_proj.bias", STACK "MultiHeadDotProductAttention_0/value/bias", "bmg -> (mg)"},
    {BLOCK "self_attn.out_proj.weight", STACK "MultiHeadDotProductAttention_0/out/kernel", "bmge -> e(mg)"},
    {BLOCK "self_attn.out_proj.bias", STACK "MultiHeadDotProductAttention_0/out/bias", "be -> e"},
    {BLOCK "layer_norm2.weight", STACK "LayerNorm_1/scale", "be -> e"},
    {BLOCK "layer_norm2.bias", STACK "LayerNorm_1/bias", "be -> e"},
    {BLOCK "mlp.fc1.weight", STACK "MlpBlock_0/Dense_0/kernel", "beu -> ue"},
    {BLOCK "mlp.fc1.bias", STACK "MlpBlock_0/Dense_0/bias", "bu -> u"},
    {BLOCK "mlp.fc2.weight", STACK "MlpBlock_0/Dense_1/kernel", "bue -> eu"},
    {BLOCK "mlp.fc2.bias", STACK "MlpBlock_0/Dense_1/bias", "be -> e"},
#undef BLOCK
#undef STACK
    {"vision_tower.vision_model.post_layernorm.weight", "img/Transformer/encoder_norm/scale", "e -> e"},
    {"vision_tower.vision_model.post_layernorm.bias", "img/Transformer/encoder_norm/bias", "e -> e"},
    {"multi_modal_projector.linear.weight", "img/head/kernel", "ed -> de"},
    {"multi_modal_projector.linear.bias", "img/head/bias", "d -> d"},
    {"language_model.model.embed_tokens.weight", "llm/embedder/input_embedding", "vd -> vd"},
#define BLOCK "language_model.model.layers.*."
    {BLOCK "input_layernorm.weight", "llm/layers/pre_attention_norm/scale", "ld -> d"},
    {BLOCK "self_attn.q_proj.weight", "llm/layers/attn/q_einsum/w", "lndh -> (nh)d"},
    {BLOCK "self_attn.k_proj.weight", "llm/layers/attn/kv_einsum/w", "l0kdh -> (kh)d"},
    {BLOCK "self_attn.v_proj.weight", "llm/layers/attn/kv_einsum/w", "l1kdh -> (kh)d"},
    {BLOCK "self_attn.o_proj.weight", "llm/layers/attn/attn_vec_einsum/w", "lnhd -> d(nh)"},
    {BLOCK "post_attention_layernorm.weight", "llm/layers/pre_ffw_norm/scale", "ld -> d", Family::gemma1},
    {BLOCK "post_attention_layernorm.weight", "llm/layers/post_attention_norm/scale", "ld -> d", Family::gemma2},
    {BLOCK "pre_feedforward_layernorm.weight", "llm/layers/pre_ffw_norm/scale", "ld -> d", Family::gemma2},
    {BLOCK "mlp.gate_proj.weight", "llm/layers/mlp/gating_einsum", "l0df -> fd"},
    {BLOCK "mlp.up_proj.weight", "llm/layers/mlp/gating_einsum", "l1df -> fd"},
    {BLOCK "mlp.down_proj.weight", "llm/layers/mlp/linear", "lfd -> df"},
    {BLOCK "post_feedforward_layernorm.weight", "llm/layers/post_ffw_norm/scale", "ld -> d", Family::gemma2},
#undef BLOCK
    {"language_model.model.norm.weight", "llm/final_norm/scale", "d -> d"},
};

constexpr LayoutRow kKeras[] = {
#define VISION "layers/pali_gemma_vit/layers/pali_gemma_vit_encoder/"
    {"vision_tower.vision_model.embeddings.patch_embedding.weight", VISION "vision_embeddings/patch_embedding/vars/0",
     "ijce -> ecij"},
    {"vision_tower.vision_model.embeddings.patch_embedding.bias", VISION "vision_embeddings/patch_embedding/vars/1",
     "e -> e"},
    {"vision_tower.vision_model.embeddings.position_embedding.weight",
     VISION "vision_embeddings/position_embedding/vars/0", "pe -> pe"},
#define BLOCK "vision_tower.vision_model.encoder.layers.*."
#define LAYER VISION "resblocks/pali_gemma_vit_encoder_block*/"
    {BLOCK "layer_norm1.weight", LAYER "layer_norm_1/vars/0", "e -> e"},
    {BLOCK "layer_norm1.bias", LAYER "layer_norm_1/vars/1", "e -> e"},
    {BLOCK "self_attn.q_proj.weight", LAYER "attn/query_proj/vars/0", "ea -> ae"},
    {BLOCK "self_attn.q_proj.bias", LAYER "attn/query_proj/vars/1", "a -> a"},
    {BLOCK "self_attn.k_proj.weight", LAYER "attn/key_proj/vars/0", "ea -> ae"},
    {BLOCK "self_attn.k_proj.bias", LAYER "attn/key_proj/vars/1", "a -> a"},
    {BLOCK "self_attn.v_proj.weight", LAYER "attn/value_proj/vars/0", "ea -> ae"},
    {BLOCK "self_attn.v_proj.bias", LAYER "attn/value_proj/vars/1", "a -> a"},
    {BLOCK "self_attn.out_proj.weight", LAYER "attn/out_proj/vars/0", "ae -> ea"},
    {BLOCK "self_attn.out_proj.bias", LAYER "attn/out_proj/vars/1", "e -> e"},
    {BLOCK "layer_norm2.weight", LAYER "layer_norm_2/vars/0", "e -> e"},
    {BLOCK "layer_norm2.bias", LAYER "layer_norm_2/vars/1", "e -> e"},
    {BLOCK "mlp.fc1.weight", LAYER "mlp_dense_1/vars/0", "eu -> ue"},
    {BLOCK "mlp.fc1.bias", LAYER "mlp_dense_1/vars/1", "u -> u"},
    {BLOCK "mlp.fc2.weight", LAYER "mlp_dense_2/vars/0", "ue -> eu"},
    {BLOCK "mlp.fc2.bias", LAYER "mlp_dense_2/vars/1", "e -> e"},
#undef BLOCK
#undef LAYER
    {"vision_tower.vision_model.post_layernorm.weight", VISION "encoder_layer_norm/vars/0", "e -> e"},
    {"vision_tower.vision_model.post_layernorm.bias", VISION "encoder_layer_norm/vars/1", "e -> e"},
#undef VISION
    {"multi_modal_projector.linear.weight", "layers/pali_gemma_vit/layers/dense/vars/0", "ed -> de"},
    {"multi_modal_projector.linear.bias", "layers/pali_gemma_vit/layers/dense/vars/1", "d -> d"},
    {"language_model.model.embed_tokens.weight", "layers/reversible_embedding/vars/0", "vd -> vd"},
#define BLOCK "language_model.model.layers.*."
#define LAYER "layers/pali_gemma_decoder_block*/"
    {BLOCK "input_layernorm.weight", LAYER "pre_attention_norm/vars/0", "d -> d"},
    {BLOCK "self_attn.q_proj.weight", LAYER "attention/query_dense/vars/0", "ndh -> (nh)d"},
    {BLOCK "self_attn.k_proj.weight", LAYER "attention/key_dense/vars/0", "kdh -> (kh)d"},
    {BLOCK "self_attn.v_proj.weight", LAYER "attention/value_dense/vars/0", "kdh -> (kh)d"},
    {BLOCK "self_attn.o_proj.weight", LAYER "attention/output_dense/vars/0", "nhd -> d(nh)"},
    {BLOCK "post_attention_layernorm.weight", LAYER "pre_ffw_norm/vars/0", "d -> d", Family::gemma1},
    {BLOCK "post_attention_layernorm.weight", LAYER "post_attention_norm/vars/0", "d -> d", Family::gemma2},
    {BLOCK "pre_feedforward_layernorm.weight", LAYER "pre_ffw_norm/vars/0", "d -> d", Family::gemma2},
    {BLOCK "mlp.gate_proj.weight", LAYER "gating_ffw/vars/0", "df -> fd"},
    {BLOCK "mlp.up_proj.weight", LAYER "gating_ffw_2/vars/0", "df -> fd"},
    {BLOCK "mlp.down_proj.weight", LAYER "ffw_linear/vars/0", "fd -> df"},
    {BLOCK "post_feedforward_layernorm.weight", LAYER "post_ffw_norm/vars/0", "d -> d", Family::gemma2},
#undef BLOCK
#undef LAYER
    {"language_model.model.norm.weight", "layers/rms_normalization/vars/0", "d -> d"},
};

constexpr Layout kBigVisionLayout{
    .name = "npz", .rows = kBigVision, .layer_name = [](std::int64_t) { return std::string(); }};
constexpr Layout kKerasLayout{.name = "KerasHub", .rows = kKeras, .layer_name = [](std::int64_t i) {
                                return i == 0 ? std::string() : join("_", i);
                              }};

}  // namespace

const Layout& big_vision_layout() { return kBigVisionLayout; }
const Layout& keras_layout() { return kKerasLayout; }

}  // namespace paligemma
