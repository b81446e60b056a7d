// The forward pass of some examples and their loss: the same functions that answer prompts, with a tape where gradients
// are wanted.
#pragma once

#include <optional>
#include <vector>

#include "model/decoder.h"
#include "model/vision_tower.h"
#include "ops/tape.h"
#include "train/dense_head.h"

namespace paligemma {

// One prompt with its answer.
struct TokenExample {
  std::vector<std::int32_t> prompt;    // image placeholders included; its tokens all see each other
  std::vector<std::int32_t> answer;    // eos included; not empty
  std::vector<float> token_weights{};  // of the answer's tokens; empty: all 1
  float weight = 1;
  std::vector<std::int64_t> pictures{};  // indices into the batch's
  // An earlier example of the batch about the same picture, behind whose rows of it this one goes on: the picture goes
  // through the decoder once, and its rows see the earlier one's prompt and not this one's. -1: none.
  std::int64_t behind = -1;
};

struct Batch {
  std::vector<TokenExample> examples;
  std::vector<float> patches;   // of all pictures (P tokens, patch values); or instead of them
  std::vector<float> features;  // what the vision tower makes of them (P tokens, E)
  DenseTargets dense{};         // about them
  double dense_weight = 0;      // of the loss of these; 0: they are not asked
  bool decoder = true;          // else nothing but these is learnt
};

enum class LossMean { example, token };

// What the cross entropy of each answer token counts, example by example. `example` is big_vision's: the mean over
// examples of the weighted mean over an example's tokens; `token` is transformers': the mean over all tokens.
std::vector<std::vector<float>> loss_weights(std::span<const TokenExample> examples, LossMean mean);

struct ObjectiveOptions {
  Precision precision = Precision::f32;
  std::int32_t image_token = -1;
  float smoothing = 0;
  Keep keep = Keep::intermediates;
  bool tower_trained = true;  // else nothing of it is kept
  SoftTargets soft{};         // of what is learnt; losses without a gradient are of the targets alone
  const DenseHead* dense = nullptr;
  std::size_t arena_bytes = Arena::kChunkBytes;
};

struct Loss {
  double loss = 0;            // the weighted sum of the answers' tokens
  double dense = 0;           // of the dense questions, not yet weighted
  double log_likelihood = 0;  // of all answer tokens, unweighted and unsmoothed only without smoothing
  std::int64_t tokens = 0;
};

class Objective {
 public:
  // `config` and `network` must outlive it.
  Objective(Backend& backend, const Config& config, const Network& network, const ObjectiveOptions& options);

  // `weights` as of loss_weights(). With `parameters` what they train gets its gradient added.
  Loss run(const Batch& batch, std::span<const std::vector<float>> weights, const AdapterSet* adapter,
           const std::function<void(Tape&)>& train = {}, LoraDropout dropout = {});

  // Of activations and their gradients, up to now.
  std::size_t most_bytes() const { return arena_.most_bytes(); }

  // (P tokens, patch values) -> (P tokens, E), without a tape.
  std::vector<float> features(ConstView patches, const AdapterSet* adapter);

 private:
  ConstView picture_features(Pass& pass, const Batch& batch);
  void reserve(std::int64_t blocks);

  Backend& backend_;
  const Config& config_;
  const Network& network_;
  ObjectiveOptions options_;
  Arena arena_;
  VisionMemory vision_memory_;
  std::int64_t vision_pictures_ = 0;
  KvCache cache_;
};

}  // namespace paligemma
