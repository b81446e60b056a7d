// The tensors of PaliGemma: one struct a block, and one visit() that names each of them, its shape and its form once.
// Loading, counting, inspecting and, later, training are walks over visit().
#pragma once

#include <string>
#include <vector>

#include "model/config.h"
#include "ops/ops.h"

namespace paligemma {

struct VisionBlock {
  Norm norm1;
  Linear q, k, v, out;
  Norm norm2;
  Linear fc1, fc2;
};

struct VisionTower {
  Linear patch;      // (E, P)
  Weight positions;  // (tokens, E)
  std::vector<VisionBlock> blocks;
  Norm norm;
};

struct DecoderBlock {
  Weight norm_attention;       // (1, D), before attention
  Linear q, k, v, out;         // no biases
  Weight norm_attention_post;  // Gemma 2 only, on the output of attention
  Weight norm_mlp;
  Weight gate, up, down;  // (F, D), (F, D), (D, F)
  Weight norm_mlp_post;   // Gemma 2 only
};

struct Decoder {
  Weight embedding;               // (V, D), also the head when that is tied
  DType scale_type = DType::f32;  // of the factor of embeddings
  std::vector<DecoderBlock> blocks;
  Weight norm;
  Weight head;  // (V, D), absent when tied

  const Weight& output() const { return head ? head : embedding; }
};

struct Network {
  VisionTower vision;
  Linear projector;  // (D, E)
  Decoder decoder;

  Network() = default;
  // Blocks in number, all tensors absent.
  explicit Network(const Config& config) {
    vision.blocks.resize(static_cast<std::size_t>(config.vision.layers));
    decoder.blocks.resize(static_cast<std::size_t>(config.decoder.layers));
  }
};

using Shape = std::vector<std::int64_t>;

// Of the axes from `from` on.
inline std::int64_t product(const Shape& shape, std::size_t from) {
  std::int64_t out = 1;
  for (std::size_t i = from; i < shape.size(); ++i) out *= shape[i];
  return out;
}

// Calls f(canonical name, weight, shape in the file, form) for each tensor of the network, in the order of the forward
// pass.
template <class F>
void visit(Network& network, const Config& config, F&& f) {
  const auto matrix = [&](const std::string& name, Weight& weight, Shape shape) {
    f(name, weight, shape, Weight::Form::matrix);
  };
  const auto vector = [&](const std::string& name, Weight& weight, Shape shape) {
    f(name, weight, shape, Weight::Form::vector);
  };
  const auto norm = [&](const std::string& name, Norm& norm, std::int64_t size) {
    vector(name + ".weight", norm.weight, {size});
    vector(name + ".bias", norm.bias, {size});
  };
  const auto linear = [&](const std::string& name, Linear& linear, std::int64_t out, std::int64_t in) {
    matrix(name + ".weight", linear.weight, {out, in});
    vector(name + ".bias", linear.bias, {out});
  };

  const VisionConfig& v = config.vision;
  const std::string vision = "vision_tower.vision_model.";
  matrix(vision + "embeddings.patch_embedding.weight", network.vision.patch.weight, {v.width, 3, v.patch, v.patch});
  vector(vision + "embeddings.patch_embedding.bias", network.vision.patch.bias, {v.width});
  vector(vision + "embeddings.position_embedding.weight", network.vision.positions, {v.tokens(), v.width});
  for (std::size_t i = 0; i < network.vision.blocks.size(); ++i) {
    VisionBlock& block = network.vision.blocks[i];
    const std::string layer = vision + "encoder.layers." + std::to_string(i) + ".";
    norm(layer + "layer_norm1", block.norm1, v.width);
    linear(layer + "self_attn.q_proj", block.q, v.width, v.width);
    linear(layer + "self_attn.k_proj", block.k, v.width, v.width);
    linear(layer + "self_attn.v_proj", block.v, v.width, v.width);
    linear(layer + "self_attn.out_proj", block.out, v.width, v.width);
    norm(layer + "layer_norm2", block.norm2, v.width);
    linear(layer + "mlp.fc1", block.fc1, v.mlp, v.width);
    linear(layer + "mlp.fc2", block.fc2, v.width, v.mlp);
  }
  norm(vision + "post_layernorm", network.vision.norm, v.width);

  const DecoderConfig& d = config.decoder;
  linear("multi_modal_projector.linear", network.projector, d.width, v.width);

  const std::string text = "language_model.model.";
  matrix(text + "embed_tokens.weight", network.decoder.embedding, {d.vocabulary, d.width});
  for (std::size_t i = 0; i < network.decoder.blocks.size(); ++i) {
    DecoderBlock& block = network.decoder.blocks[i];
    const std::string layer = text + "layers." + std::to_string(i) + ".";
    vector(layer + "input_layernorm.weight", block.norm_attention, {d.width});
    matrix(layer + "self_attn.q_proj.weight", block.q.weight, {d.heads * d.head_size, d.width});
    matrix(layer + "self_attn.k_proj.weight", block.k.weight, {d.kv_heads * d.head_size, d.width});
    matrix(layer + "self_attn.v_proj.weight", block.v.weight, {d.kv_heads * d.head_size, d.width});
    matrix(layer + "self_attn.o_proj.weight", block.out.weight, {d.width, d.heads * d.head_size});
    // One name, two meanings: the norm before the feed-forward in Gemma 1, the one after attention in Gemma 2.
    vector(layer + "post_attention_layernorm.weight", d.gemma2 ? block.norm_attention_post : block.norm_mlp, {d.width});
    if (d.gemma2) vector(layer + "pre_feedforward_layernorm.weight", block.norm_mlp, {d.width});
    matrix(layer + "mlp.gate_proj.weight", block.gate, {d.mlp, d.width});
    matrix(layer + "mlp.up_proj.weight", block.up, {d.mlp, d.width});
    matrix(layer + "mlp.down_proj.weight", block.down, {d.width, d.mlp});
    if (d.gemma2) vector(layer + "post_feedforward_layernorm.weight", block.norm_mlp_post, {d.width});
  }
  vector(text + "norm.weight", network.decoder.norm, {d.width});
  if (!d.tied_head) matrix("lm_head.weight", network.decoder.head, {d.vocabulary, d.width});
}

}  // namespace paligemma
