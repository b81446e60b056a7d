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

Batch BatchMaker::make(std::span<const Example> examples, std::span<const TokenExample> tokens) {
  Batch batch{.examples = {tokens.begin(), tokens.end()}};
  std::vector<float>& numbers = stored_ ? batch.features : batch.patches;
  std::map<std::string, std::int64_t> pictures;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::string& name = data_.samples[examples[i].sample].picture.name;
    const auto found = same_ ? pictures.find(name) : pictures.end();
    std::int64_t number = count;
    if (found != pictures.end()) {
      number = found->second;
    } else {
      const std::vector<float> part = seen(examples[i]);
      numbers.insert(numbers.end(), part.begin(), part.end());
      if (same_) pictures.emplace(name, count);
      ++count;
    }
    batch.examples[i].pictures = {number};
  }
  return batch;
}

}  // namespace paligemma
