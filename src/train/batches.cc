#include "train/batches.h"

#include "train/validation.h"

namespace paligemma {

const std::vector<float>* FeatureStore::find(std::size_t sample) const {
  const auto found = features_.find(sample);
  return found == features_.end() ? nullptr : &found->second;
}

void FeatureStore::keep(std::size_t sample, std::span<const float> features) {
  if (bytes_ + features.size_bytes() > kMostBytes) return;
  bytes_ += features.size_bytes();
  features_.emplace(sample, std::vector<float>(features.begin(), features.end()));
}

// A picture's features where they are stored, else its patches.
std::vector<float> BatchMaker::seen(const Example& example) {
  const std::vector<float>* kept = stored_ ? features_.find(example.sample) : nullptr;
  if (kept) return *kept;
  const Pipeline& pipeline = *trainee_.pipeline;
  std::vector<float> patches = patches_of(pipeline, example.picture);
  if (!stored_) return patches;
  const VisionConfig& vision = pipeline.config.vision;
  std::vector<float> features =
      objective_.features({patches.data(), vision.tokens(), vision.patch_values()}, trainee_.adapter_set());
  features_.keep(example.sample, features);
  return features;
}

void BatchMaker::ask_tokens(Batch& batch, const Example& example, std::int64_t picture) const {
  if (!trainee_.dense || !example.things) return;
  const Config& config = trainee_.pipeline->config;
  add_dense_targets(batch.dense, {example.width, example.height, *example.things, example.letters}, config.vision,
                    *trainee_.pipeline->tokenizer, config.loc_divisor, picture * config.vision.tokens());
}

Batch BatchMaker::make(std::span<const Example> examples, std::span<const TokenExample> tokens) {
  Batch batch{.examples = {tokens.begin(), tokens.end()}};
  std::vector<float>& numbers = stored_ ? batch.features : batch.patches;
  struct Seen {
    std::int64_t picture = 0;
    std::size_t example = 0;  // the first one about it
  };
  std::map<std::string, Seen> known;
  std::int64_t pictures = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::string& name = data_.samples[examples[i].sample].picture.name;
    const auto found = same_ ? known.find(name) : known.end();
    if (found != known.end()) {
      batch.examples[i].pictures = {found->second.picture};
      if (pack_) batch.examples[i].behind = static_cast<std::int64_t>(found->second.example);
      continue;
    }
    const std::vector<float> part = seen(examples[i]);
    numbers.insert(numbers.end(), part.begin(), part.end());
    ask_tokens(batch, examples[i], pictures);
    batch.examples[i].pictures = {pictures};
    if (same_) known.emplace(name, Seen{pictures, i});
    ++pictures;
  }
  return batch;
}

}  // namespace paligemma
