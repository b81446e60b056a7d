#include "train/codebook.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "detect/codec_network.h"

namespace paligemma {
namespace {

constexpr int kRounds = 10;       // of k-means
constexpr float kKept = 0.99f;    // of what came before, in each step
constexpr float kAtFirst = 100;   // features that each code counts for: a step's few must not decide at once
constexpr float kFewest = 0.03f;  // of the mean of all codes: what has fewer features than that is moved

}  // namespace

Codebook::Codebook(std::span<float> rows, int width)
    : rows_(rows), width_(width), counts_(rows.size() / static_cast<std::size_t>(width)), sums_(rows.size()) {
  begin_counting();
}

void Codebook::start(std::span<const float> features, std::uint64_t seed) {
  const auto width = static_cast<std::size_t>(width_), count = features.size() / width;
  for (std::size_t code = 0; code < counts_.size(); ++code)
    std::copy_n(&features[splitmix64(seed, code) % count * width], width, &rows_[code * width]);
  for (int round = 0; round < kRounds; ++round) {
    std::ranges::fill(counts_, 0.0f);
    std::ranges::fill(sums_, 0.0f);
    for (std::size_t i = 0; i < count; ++i)
      take(nearest_code(rows_, features.subspan(i * width, width)), &features[i * width]);
    for (std::size_t code = 0; code < counts_.size(); ++code) {
      if (counts_[code] == 0) {
        const std::uint64_t drawn = splitmix64(seed, counts_.size() * static_cast<std::size_t>(round + 1) + code);
        std::copy_n(&features[drawn % count * width], width, &rows_[code * width]);
        continue;
      }
      for (std::size_t i = 0; i < width; ++i) rows_[code * width + i] = sums_[code * width + i] / counts_[code];
    }
  }
  begin_counting();
}

void Codebook::begin_counting() {
  std::ranges::fill(counts_, kAtFirst);
  std::ranges::transform(rows_, sums_.begin(), [](float value) { return kAtFirst * value; });
}

void Codebook::take(int code, const float* feature) {
  counts_[static_cast<std::size_t>(code)] += 1;
  float* sum = &sums_[static_cast<std::size_t>(code) * static_cast<std::size_t>(width_)];
  for (int i = 0; i < width_; ++i) sum[i] += feature[i];
}

void Codebook::follow(std::span<const float> features, std::span<const int> codes, std::uint64_t seed) {
  const auto width = static_cast<std::size_t>(width_);
  // One step's features count as (1 - kKept) of the whole: sums are kept times what that makes of them.
  for (float& value : counts_) value *= kKept;
  for (float& value : sums_) value *= kKept;
  for (std::size_t i = 0; i < codes.size(); ++i) take(codes[i], &features[i * width]);
  const float mean = std::accumulate(counts_.begin(), counts_.end(), 0.0f) / static_cast<float>(counts_.size());
  for (std::size_t code = 0; code < counts_.size(); ++code) {
    if (counts_[code] < kFewest * mean) {
      const float* feature = &features[splitmix64(seed, code) % codes.size() * width];
      counts_[code] = mean / 4;
      for (std::size_t i = 0; i < width; ++i) sums_[code * width + i] = counts_[code] * feature[i];
    }
    for (std::size_t i = 0; i < width; ++i) rows_[code * width + i] = sums_[code * width + i] / counts_[code];
  }
}

}  // namespace paligemma
