// Pictures and prompts in, tokens out: batches of unequal prompts through the one forward pass.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/beam_search.h"
#include "engine/budget.h"
#include "engine/draft.h"
#include "engine/kv_pool.h"
#include "engine/noise_boxes.h"
#include "engine/sampler.h"
#include "model/decoder.h"
#include "model/vision_tower.h"

namespace paligemma {

struct EnginePrompt {
  std::vector<std::int32_t> ids;       // image placeholders included
  std::int64_t prefix = 0;             // the first so many positions see each other
  std::vector<std::int64_t> pictures;  // indices of the pictures that fill the placeholders, in order
  std::vector<std::int32_t> suffix;    // forced beginning of the answer, causal
  int max_tokens = 0;                  // beyond the suffix; 0: score the suffix and the eos after it
  Sampling sampling{};
  Beams beams{};
  const AdapterSet* adapter = nullptr;
  DraftHints hints{};
  NoiseBoxes noise{};
  // When set, sees the logits (V) that each token of the answer follows from, in order; not under beams.
  std::function<void(std::span<const float>)> see_logits{};
};

struct EngineAnswer {
  std::vector<std::int32_t> ids;  // the suffix and eos included
  std::vector<double> logprobs;   // of each id
  std::vector<float> margins;     // of each id that was chosen; 0 for those of the suffix and of beams
  bool stopped = false;           // ended by eos
};

struct EngineTimings {  // milliseconds
  double vision = 0, prefill = 0, decode = 0;
};

struct EngineOptions {
  Precision precision = Precision::f32;
  std::int32_t image_token = -1;
  std::int32_t eos_token = 1;
  std::int64_t real_vocabulary = 0;  // ids from here on are never chosen
  bool whole_last_block = false;     // compute it for rows that nothing depends on, too; so does a tap
  std::int64_t draft_rows = 0;       // most rows of a decode step with drafts; 1: no drafts, 0: rows_for_drafts()
  std::int64_t cache_bytes = kCacheBytes;
};

class Engine {
 public:
  // `config` and `network` must outlive the engine.
  Engine(Backend& backend, const Config& config, const Network& network, const EngineOptions& options);

  // Image embeddings of pictures given as patches, one after the other: (B tokens, P) -> kept for generate().
  // `adapters` has that of each picture, or is empty when none has one. Of the pictures of the last call those that
  // `stay` names by number are kept: they come first, in this order.
  void encode_pictures(ConstView patches, std::span<const AdapterSet* const> adapters = {},
                       std::span<const std::size_t> stay = {});

  // Answers all prompts, as many at once as the cache has room for; the answer to one does not depend on the others.
  // `stop` is asked between steps.
  // Throws Error{usage, "prompt_too_long" | "decoding"}, Error{failure, "interrupted"}.
  std::vector<EngineAnswer> generate(std::span<const EnginePrompt> prompts, const std::function<bool()>& stop = {});

  // Sees every intermediate when set; for tests.
  std::function<void(std::string_view, ConstView)> tap;
  EngineTimings timings;

 private:
  struct Running;  // one answer on its way

  std::size_t admissible(std::span<const Running> waiting, std::int64_t free_blocks) const;
  void prefill(std::span<Running> batch);
  std::vector<std::int32_t> draft_for(const Running& running, std::int64_t most) const;
  void decode_step(std::span<Running*> batch);
  void read_logits(Running& running, std::span<const float> logits);
  void choose_token(Running& running, std::span<const float> logits);
  Allowed allowed_next(const Running& running) const;
  void advance_beams(Running& running);
  void end(Running& running);
  std::int64_t reserve_cache(std::span<const Running> all);
  std::span<const float> counted(ConstView logits, std::int64_t row) const;
  Pass pass(std::span<const AdapterRows> adapters) { return {backend_, arena_, options_.precision, tap, adapters}; }

  Backend& backend_;
  const Config& config_;
  const Network& network_;
  EngineOptions options_;
  Arena arena_;
  VisionMemory vision_memory_;
  std::int64_t vision_batch_ = 0;  // pictures that go through the tower at once
  std::vector<Buffer> pictures_;   // (tokens, D) each
  KvPool pool_;
};

}  // namespace paligemma
