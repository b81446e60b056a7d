#include "model/decoder.h"

#include <algorithm>
#include <cmath>

namespace paligemma {
namespace {

// What all blocks of one pass share.
struct DecoderRun {
  const DecoderConfig& config;
  KvCache& cache;
  std::span<const Sequence> sequences;
};

// A block from the queries on; keys and values are in the cache. The norms after attention and feed-forward are Gemma
// 2's alone.
void finish_block(Pass& pass, const DecoderRun& run, const DecoderBlock& block, BlockName name, View q, View x) {
  const DecoderConfig& config = run.config;
  const AttentionShape shape{.heads = config.heads,
                             .kv_heads = config.kv_heads,
                             .head_size = config.head_size,
                             .scale = config.query_scale,
                             .soft_cap = config.attention_cap,
                             .window = name.index % 2 == 0 ? config.window : 0};
  rope_in_place(pass, q, config.heads, run.sequences, config.rope_theta);
  View a = linear(pass, attention(pass, q, run.cache, name.index, run.sequences, shape), block.out);
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

void write_keys(Pass& pass, const DecoderRun& run, BlockName name, View k, View v) {
  rope_in_place(pass, k, run.config.kv_heads, run.sequences, run.config.rope_theta);
  write_kv(pass, k, v, run.cache, name.index, run.sequences);
}

void decoder_block(Pass& pass, const DecoderRun& run, const DecoderBlock& block, BlockName name, View x) {
  const View h1 = rms_norm(pass, x, block.norm_attention, run.config.eps);
  pass.see(name, "input_layernorm", h1);
  const Qkv qkv = qkv_linear(pass, h1, block.q, block.k, block.v);
  pass.see(name, "self_attn.q_proj", qkv.q);
  pass.see(name, "self_attn.k_proj", qkv.k);
  pass.see(name, "self_attn.v_proj", qkv.v);
  write_keys(pass, run, name, qkv.k, qkv.v);
  finish_block(pass, run, block, name, qkv.q, x);
}

// The last rows of each sequence as sequences of their own, packed, with their adapters.
struct Kept {
  std::vector<Sequence> sequences;
  std::vector<AdapterRows> adapters;

  Kept(std::span<const Sequence> whole, std::span<const std::int64_t> counts, std::span<const AdapterRows> ranges) {
    std::int64_t row = 0;
    for (std::size_t i = 0; i < counts.size(); row += counts[i++]) {
      const Sequence& all = whole[i];
      const std::int64_t before = all.rows - counts[i], start = all.row + before;
      sequences.push_back({row, counts[i], all.position + before, all.prefix, all.blocks});
      for (const AdapterRows& range : ranges) {
        const std::int64_t first = std::max(range.row, start);
        const std::int64_t rows = std::min(range.row + range.rows, start + counts[i]) - first;
        if (rows > 0) adapters.push_back({row + first - start, rows, range.adapter});
      }
    }
  }
};

// Most rows of the last block are wanted for their keys and values only: it goes on with the last kept[i] of sequence
// i, as `rest` says. Returns their residual stream; from then on the pass is about them.
View last_block(Pass& pass, const DecoderRun& run, const DecoderBlock& block, BlockName name, View x,
                std::span<const std::int64_t> kept, const Kept& rest) {
  const View h1 = rms_norm(pass, x, block.norm_attention, run.config.eps);
  write_keys(pass, run, name, linear(pass, h1, block.k), linear(pass, h1, block.v));
  const View y = last_rows(pass, x, run.sequences, kept);
  pass.adapters = rest.adapters;
  const View h2 = rms_norm(pass, y, block.norm_attention, run.config.eps);
  finish_block(pass, {run.config, run.cache, rest.sequences}, block, name, linear(pass, h2, block.q), y);
  return y;
}

}  // namespace

View embed_text(Pass& pass, const Config& config, const Network& network, std::span<const std::int32_t> ids) {
  const DType type = network.decoder.scale_type;
  const auto scale = static_cast<float>(std::sqrt(static_cast<double>(config.decoder.width)));
  return embed(pass, network.decoder.embedding, ids, round_to(type, scale), result_type(type));
}

void insert_pictures(Pass& pass, std::span<const std::int32_t> ids, std::int32_t image_token,
                     std::span<const ConstView> pictures, View x, std::int64_t row) {
  std::int64_t placed = 0;
  for (std::size_t i = 0, end; i < ids.size(); i = end) {
    const bool picture = ids[i] == image_token;
    end = i + 1;
    if (!picture) continue;
    const std::int64_t tokens = pictures.front().rows, first = placed % tokens;
    while (end < ids.size() && ids[end] == image_token && first + std::int64_t(end - i) < tokens) ++end;
    const auto count = static_cast<std::int64_t>(end - i);
    put_rows(pass, pictures[static_cast<std::size_t>(placed / tokens)].row_range(first, count), x,
             row + static_cast<std::int64_t>(i));
    placed += count;
  }
}

View decoder(Pass& pass, const Config& config, const Network& network, View x, KvCache& cache,
             std::span<const Sequence> sequences, std::span<const std::int64_t> kept) {
  const DecoderRun run{config.decoder, cache, sequences};
  const auto& blocks = network.decoder.blocks;
  const std::span<const AdapterRows> adapters = pass.adapters;
  const Kept rest(sequences, kept, adapters);
  pass.see("embeddings", x);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const BlockName name{"decoder.layers", static_cast<std::int64_t>(i)};
    if (!kept.empty() && i + 1 == blocks.size()) {
      x = last_block(pass, run, blocks[i], name, x, kept, rest);
    } else {
      run_block(pass, x, [run, &block = blocks[i], name, x](Pass& pass) { decoder_block(pass, run, block, name, x); });
    }
    pass.see(name, "", x);
  }
  const View y = rms_norm(pass, x, network.decoder.norm, config.decoder.eps);
  pass.see("decoder.norm", y);
  pass.adapters = adapters;
  return y;
}

View logits(Pass& pass, const Config& config, const Network& network, ConstView rows, bool capped) {
  const View y = linear(pass, rows, network.decoder.output());
  if (capped && config.decoder.final_cap > 0) soft_cap_in_place(pass, y, config.decoder.final_cap);
  pass.see("logits", y);
  return y;
}

}  // namespace paligemma
