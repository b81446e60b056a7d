#include "model/vision_tower.h"

#include <cmath>
#include <numeric>

namespace paligemma {
namespace {

// What all blocks of one pass share.
struct VisionRun {
  const VisionConfig& config;
  KvCache& cache;
  std::span<const Sequence> sequences;
};

void vision_block(Pass& pass, const VisionRun& run, const VisionBlock& block, BlockName name, View x) {
  const VisionConfig& config = run.config;
  const AttentionShape shape{.heads = config.heads,
                             .kv_heads = config.heads,
                             .head_size = config.head_size(),
                             .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_size())))};

  const View h1 = layer_norm(pass, x, block.norm1, config.eps);
  pass.see(name, "layer_norm1", h1);
  const Qkv qkv = qkv_linear(pass, h1, block.q, block.k, block.v);
  pass.see(name, "self_attn.q_proj", qkv.q);
  pass.see(name, "self_attn.k_proj", qkv.k);
  pass.see(name, "self_attn.v_proj", qkv.v);
  const std::int64_t layer = name.index % run.cache.layers;
  write_kv(pass, qkv.k, qkv.v, run.cache, layer, run.sequences);
  const View a = linear(pass, attention(pass, qkv.q, run.cache, layer, run.sequences, shape), block.out);
  pass.see(name, "self_attn.out_proj", a);
  add_in_place(pass, a, x);

  const View h2 = layer_norm(pass, x, block.norm2, config.eps);
  pass.see(name, "layer_norm2", h2);
  const View u = linear_gelu(pass, h2, block.fc1, name, "mlp.fc1");
  const View m = linear(pass, u, block.fc2);
  pass.see(name, "mlp", m);
  add_in_place(pass, m, x);
}

}  // namespace

VisionMemory make_vision_memory(Backend& backend, const VisionConfig& config, std::int64_t pictures,
                                Precision precision, bool for_tape) {
  VisionMemory memory;
  memory.blocks_each = (config.tokens() + kKvBlockTokens - 1) / kKvBlockTokens;
  memory.blocks.resize(static_cast<std::size_t>(pictures * memory.blocks_each));
  std::iota(memory.blocks.begin(), memory.blocks.end(), 0);
  memory.cache =
      backend.make_kv_cache(for_tape ? config.layers : 1, config.heads, config.head_size(),
                            pictures * memory.blocks_each, precision == Precision::f32 ? DType::f32 : DType::bf16);
  return memory;
}

View vision_tower(Pass& pass, const VisionConfig& config, const VisionTower& tower, ConstView patches,
                  VisionMemory& memory) {
  const std::int64_t tokens = config.tokens();
  std::vector<Sequence>& sequences = memory.sequences;
  sequences.clear();
  for (std::int64_t row = 0; row < patches.rows; row += tokens) {
    const std::size_t first_block = static_cast<std::size_t>(row / tokens * memory.blocks_each);
    sequences.push_back(
        {.row = row,
         .rows = tokens,
         .position = 0,
         .prefix = tokens,
         .blocks = std::span(memory.blocks).subspan(first_block, static_cast<std::size_t>(memory.blocks_each))});
  }

  const VisionRun run{config, memory.cache, sequences};
  const View x = linear(pass, patches, tower.patch);
  add_positions_in_place(pass, tower.positions, x);
  pass.see("vision.embeddings", x);
  for (std::size_t i = 0; i < tower.blocks.size(); ++i) {
    const BlockName name{"vision.layers", static_cast<std::int64_t>(i)};
    run_block(pass, x,
              [run, &block = tower.blocks[i], name, x](Pass& pass) { vision_block(pass, run, block, name, x); });
    pass.see(name, "", x);
  }
  const View y = layer_norm(pass, x, tower.norm, config.eps);
  pass.see("vision.post_layernorm", y);
  return y;
}

View projector(Pass& pass, const Network& network, ConstView features) {
  const View y = linear(pass, features, network.projector);
  pass.see("projector", y);
  return y;
}

}  // namespace paligemma
