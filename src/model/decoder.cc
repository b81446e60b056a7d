#include "model/decoder.h"

#include <cmath>

namespace paligemma {
namespace {

// What all blocks of one pass share.
struct Run {
  const DecoderConfig& config;
  KvCache& cache;
  std::span<const Sequence> sequences;
};

// The norms after attention and feed-forward are Gemma 2's alone.
void decoder_block(Pass& pass, const Run& run, const DecoderBlock& block, BlockName name, View x) {
  const ArenaScope scope(pass.arena);
  const DecoderConfig& config = run.config;
  const AttentionShape shape{.heads = config.heads,
                             .kv_heads = config.kv_heads,
                             .head_size = config.head_size,
                             .scale = config.query_scale,
                             .soft_cap = config.attention_cap,
                             .window = name.index % 2 == 0 ? config.window : 0};

  const View h1 = rms_norm(pass, x, block.norm_attention, config.eps);
  pass.see(name, "input_layernorm", h1);
  const Qkv qkv = qkv_linear(pass, h1, block.q, block.k, block.v);
  pass.see(name, "self_attn.q_proj", qkv.q);
  pass.see(name, "self_attn.k_proj", qkv.k);
  pass.see(name, "self_attn.v_proj", qkv.v);
  rope_in_place(pass, qkv.q, config.heads, run.sequences, config.rope_theta);
  rope_in_place(pass, qkv.k, config.kv_heads, run.sequences, config.rope_theta);
  View a = linear(pass, attention(pass, qkv, run.cache, name.index, run.sequences, shape), block.out);
  pass.see(name, "self_attn.o_proj", a);
  if (config.gemma2) {
    a = rms_norm(pass, a, block.norm_attention_post, config.eps);
    pass.see(name, "post_attention_layernorm", a);
  }
  add_in_place(pass, a, x);

  const View h2 = rms_norm(pass, x, block.norm_mlp, config.eps);
  pass.see(name, config.gemma2 ? "pre_feedforward_layernorm" : "post_attention_layernorm", h2);
  View m = linear(pass, gated_gelu(pass, h2, block.gate, block.up, name), block.down);
  pass.see(name, "mlp.down_proj", m);
  if (config.gemma2) {
    m = rms_norm(pass, m, block.norm_mlp_post, config.eps);
    pass.see(name, "post_feedforward_layernorm", m);
  }
  add_in_place(pass, m, x);
}

}  // namespace

View embed_text(Pass& pass, const Config& config, const Network& network, std::span<const std::int32_t> ids) {
  const DType type = network.decoder.scale_type;
  const auto scale = static_cast<float>(std::sqrt(static_cast<double>(config.decoder.width)));
  return embed(pass, network.decoder.embedding, ids, round_to(type, scale), result_type(type));
}

View decoder(Pass& pass, const Config& config, const Network& network, View x, KvCache& cache,
             std::span<const Sequence> sequences) {
  const Run run{config.decoder, cache, sequences};
  pass.see("embeddings", x);
  for (std::size_t i = 0; i < network.decoder.blocks.size(); ++i) {
    const BlockName name{"decoder.layers", static_cast<std::int64_t>(i)};
    decoder_block(pass, run, network.decoder.blocks[i], name, x);
    pass.see(name, "", x);
  }
  const View y = rms_norm(pass, x, network.decoder.norm, config.decoder.eps);
  pass.see("decoder.norm", y);
  return y;
}

View logits(Pass& pass, const Config& config, const Network& network, ConstView rows, bool capped) {
  const View y = linear(pass, rows, network.decoder.output());
  if (capped && config.decoder.final_cap > 0) soft_cap_in_place(pass, y, config.decoder.final_cap);
  pass.see("logits", y);
  return y;
}

}  // namespace paligemma
