#include "train/objective.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::int64_t kTowerPictures = 4;  // that go through a tower without a tape at once

// The packed rows of all examples: prompt and answer, but for its last token, which nothing follows.
struct PackedRows {
  std::vector<std::int32_t> ids;
  std::vector<Sequence> sequences;
  std::vector<std::vector<std::int32_t>> blocks;  // of each sequence
  std::int32_t blocks_used = 0;
  std::vector<std::int64_t> predicting;  // the last rows of each sequence: those that an answer token follows
  std::vector<std::int32_t> targets;
  std::vector<float> weights;

  // Of examples that go on behind another one's picture, `picture_tokens` rows are that one's.
  PackedRows(const Batch& batch, std::span<const std::vector<float>> token_weights, std::int32_t image_token,
             std::int64_t picture_tokens) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i) {
      const TokenExample& example = batch.examples[i];
      const auto row = static_cast<std::int64_t>(ids.size());
      const std::int64_t shared = example.behind < 0 ? 0 : picture_tokens;
      // Placeholders may lie beyond the embedding's rows; what is looked up for them is overwritten.
      for (const std::int32_t id : std::span(example.prompt).subspan(static_cast<std::size_t>(shared)))
        ids.push_back(id == image_token ? 0 : id);
      ids.insert(ids.end(), example.answer.begin(), example.answer.end() - 1);
      const auto prefix = static_cast<std::int64_t>(example.prompt.size());
      const std::int64_t rows = static_cast<std::int64_t>(ids.size()) - row;
      sequences.push_back({.row = row, .rows = rows, .position = shared, .prefix = prefix});
      add_blocks(example.behind, shared, rows);
      predicting.push_back(static_cast<std::int64_t>(example.answer.size()));
      targets.insert(targets.end(), example.answer.begin(), example.answer.end());
      weights.insert(weights.end(), token_weights[i].begin(), token_weights[i].end());
    }
    for (std::size_t i = 0; i < sequences.size(); ++i) sequences[i].blocks = blocks[i];
  }

 private:
  void add_blocks(std::int64_t behind, std::int64_t shared, std::int64_t rows) {
    std::vector<std::int32_t> own;
    if (shared > 0) {
      if (shared % kKvBlockTokens != 0)
        fail(ErrorKind::usage, "pack", "pictures of this model cannot be shared: expected a multiple of ",
             kKvBlockTokens, " image tokens, got ", shared);
      const auto& first = blocks[static_cast<std::size_t>(behind)];
      own.assign(first.begin(), first.begin() + shared / kKvBlockTokens);
    }
    for (std::int64_t at = 0; at < rows; at += kKvBlockTokens) own.push_back(blocks_used++);
    blocks.push_back(std::move(own));
  }
};

}  // namespace

std::vector<std::vector<float>> loss_weights(std::span<const TokenExample> examples, LossMean mean) {
  std::vector<std::vector<float>> out;
  double all_examples = 0, all_tokens = 0;
  std::vector<double> sums;
  for (const TokenExample& example : examples) {
    std::vector<float> weights = example.token_weights;
    if (weights.empty()) weights.assign(example.answer.size(), 1.0f);
    sums.push_back(std::accumulate(weights.begin(), weights.end(), 0.0));
    all_examples += example.weight;
    all_tokens += example.weight * sums.back();
    out.push_back(std::move(weights));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double whole = mean == LossMean::example ? sums[i] * all_examples : all_tokens;
    const double factor = whole > 0 ? examples[i].weight / whole : 0;
    for (float& weight : out[i]) weight = static_cast<float>(weight * factor);
  }
  return out;
}

Objective::Objective(Backend& backend, const Config& config, const Network& network, const ObjectiveOptions& options)
    : backend_(backend),
      config_(config),
      network_(network),
      options_(options),
      arena_(backend, options.arena_bytes),
      cache_{.layers = config.decoder.layers,
             .kv_heads = config.decoder.kv_heads,
             .head_size = config.decoder.head_size,
             .dtype = options.precision == Precision::f32 ? DType::f32 : DType::bf16} {}

void Objective::reserve(std::int64_t blocks) {
  if (blocks > cache_.blocks)
    cache_ = backend_.make_kv_cache(cache_.layers, cache_.kv_heads, cache_.head_size, blocks, cache_.dtype);
}

ConstView Objective::picture_features(Pass& pass, const Batch& batch) {
  const std::int64_t tokens = config_.vision.tokens();
  if (!batch.features.empty()) {
    const auto rows = static_cast<std::int64_t>(batch.features.size()) / config_.vision.width;
    return {batch.features.data(), rows, config_.vision.width};
  }
  const auto rows = static_cast<std::int64_t>(batch.patches.size()) / config_.vision.patch_values();
  if (rows / tokens > vision_pictures_) {
    vision_pictures_ = rows / tokens;
    const bool for_tape = pass.tape && options_.tower_trained && options_.keep == Keep::intermediates;
    vision_memory_ = make_vision_memory(backend_, config_.vision, vision_pictures_, options_.precision, for_tape);
  }
  return vision_tower(pass, config_.vision, network_.vision,
                      {batch.patches.data(), rows, config_.vision.patch_values()}, vision_memory_);
}

namespace {

std::vector<AdapterRows> adapter_of_rows(const AdapterSet* adapter, std::int64_t rows) {
  return adapter ? std::vector<AdapterRows>{{0, rows, adapter}} : std::vector<AdapterRows>{};
}

}  // namespace

Loss Objective::run(const Batch& batch, std::span<const std::vector<float>> weights, const AdapterSet* adapter,
                    const std::function<void(Tape&)>& train, LoraDropout dropout) {
  const ArenaScope scope(arena_);
  std::optional<Tape> tape;
  if (train) {
    tape.emplace(backend_, arena_, options_.keep);
    tape->dropout = dropout;
    train(*tape);
  }
  const std::int64_t tokens = config_.vision.tokens();
  Pass pass{backend_, arena_, options_.precision};
  pass.tape = tape ? &*tape : nullptr;

  Loss loss;
  std::vector<ConstView> pictures;
  std::vector<AdapterRows> picture_adapters;
  if (!batch.patches.empty() || !batch.features.empty()) {
    const auto values = batch.features.empty() ? config_.vision.patch_values() : config_.vision.width;
    const std::size_t numbers = batch.features.empty() ? batch.patches.size() : batch.features.size();
    picture_adapters = adapter_of_rows(adapter, static_cast<std::int64_t>(numbers) / values);
    pass.adapters = picture_adapters;
    const View projected = projector(pass, network_, picture_features(pass, batch));
    for (std::int64_t row = 0; row < projected.rows; row += tokens)
      pictures.push_back(projected.row_range(row, tokens));
    pass.adapters = {};
    if (batch.dense_weight > 0)
      loss.dense = options_.dense->loss(pass, projected, network_.decoder.output(), config_.decoder.final_cap,
                                        batch.dense, batch.dense_weight, &options_.soft);
  }
  std::optional<PackedRows> rows;
  std::vector<AdapterRows> adapters, kept_adapters;
  if (batch.decoder) {
    rows.emplace(batch, weights, options_.image_token, tokens);
    reserve(rows->blocks_used);
    adapters = adapter_of_rows(adapter, static_cast<std::int64_t>(rows->ids.size()));
    pass.adapters = adapters;
    const View x = embed_text(pass, config_, network_, rows->ids);
    for (std::size_t i = 0; i < batch.examples.size(); ++i) {
      if (batch.examples[i].behind >= 0) continue;
      std::vector<ConstView> own;
      for (const std::int64_t picture : batch.examples[i].pictures) own.push_back(pictures[std::size_t(picture)]);
      insert_pictures(pass, batch.examples[i].prompt, options_.image_token, own, x, rows->sequences[i].row);
    }
    const View y = decoder(pass, config_, network_, x, cache_, rows->sequences, rows->predicting);
    kept_adapters = adapter_of_rows(adapter, y.rows);
    pass.adapters = kept_adapters;
    std::vector<float> losses(rows->targets.size());
    head_cross_entropy(pass, y, network_.decoder.output(), config_.decoder.final_cap,
                       {rows->targets, rows->weights, options_.smoothing, tape ? &options_.soft : nullptr}, losses);
    loss.tokens = static_cast<std::int64_t>(losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      loss.loss += static_cast<double>(rows->weights[i]) * losses[i];
      loss.log_likelihood -= losses[i];
    }
  }
  if (tape) tape->run_backward();
  return loss;
}

std::vector<float> Objective::features(ConstView patches, const AdapterSet* adapter) {
  std::vector<float> out;
  const std::int64_t tokens = config_.vision.tokens(), at_once = kTowerPictures * tokens;
  VisionMemory memory = make_vision_memory(backend_, config_.vision, kTowerPictures, options_.precision);
  for (std::int64_t row = 0; row < patches.rows; row += at_once) {
    const ArenaScope scope(arena_);
    const std::int64_t rows = std::min(at_once, patches.rows - row);
    Pass pass{backend_, arena_, options_.precision};
    const AdapterRows all{0, rows, adapter};
    if (adapter) pass.adapters = {&all, 1};
    const View y = vision_tower(pass, config_.vision, network_.vision, patches.row_range(row, rows), memory);
    for (std::int64_t r = 0; r < rows; ++r) out.insert(out.end(), y.row(r), y.row(r) + y.cols);
  }
  return out;
}

}  // namespace paligemma
