// Masks in groups by their likeness, each with one map for all of its masks: what is left of many masks of few things
// when what differs by chance is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "detect/mask_codec.h"

namespace paligemma {

class MaskGroups {
 public:
  // By k-means of the maps, (64, 64), that `map_of` gives of numbers below `count`, from any thread and each time the
  // same. Fewer groups than asked for where fewer maps differ. The same for any number of threads.
  using MapOf = std::function<std::vector<float>(std::int64_t)>;
  MaskGroups(std::int64_t count, const MapOf& map_of, int groups, std::uint64_t seed, ThreadPool& pool);

  // The group of any map, and its map: the mean of those that it was made of.
  int nearest(std::span<const float> map) const;
  std::span<const float> mean(int group) const;
  std::span<const float> means() const { return means_; }

  int count() const { return static_cast<int>(means_.size() / kCells); }

 private:
  static constexpr std::size_t kSide = MaskCodec::kSide, kCells = kSide * kSide;
  static constexpr std::size_t kReducedSide = 16, kReduced = kReducedSide * kReducedSide;

  static void reduce(std::span<const float> map, float* reduced);
  int nearest_reduced(const float* reduced) const;
  void begin(const std::vector<float>& reduced, std::size_t groups, std::uint64_t seed, ThreadPool& pool);

  std::vector<float> centres_;  // (count, kReduced): likeness is judged by maps in small
  std::vector<float> means_;    // (count, kCells)
};

}  // namespace paligemma
