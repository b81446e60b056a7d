#include "train/mask_groups.h"

#include <algorithm>
#include <limits>

#include "base/random.h"

namespace paligemma {
namespace {

constexpr int kMoves = 8;                // of the centres
constexpr std::int64_t kTogether = 256;  // maps in memory

float distance(const float* a, const float* b, std::size_t size) {
  constexpr std::size_t kLanes = 16;
  float sums[kLanes] = {};
  for (std::size_t i = 0; i < size; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float difference = a[i + lane] - b[i + lane];
      sums[lane] += difference * difference;
    }
  float sum = 0;
  for (const float one : sums) sum += one;
  return sum;
}

// Of rows of one group each.
class Means {
 public:
  Means(std::size_t numbers, std::size_t width) : width_(width), sums_(numbers), rows_(numbers / width) {}

  void add(int group, const float* row) {
    const auto to = static_cast<std::size_t>(group);
    ++rows_[to];
    for (std::size_t i = 0; i < width_; ++i) sums_[to * width_ + i] += row[i];
  }
  // A group without rows stays as it is.
  void give(std::vector<float>& means) const {
    for (std::size_t i = 0; i < means.size(); ++i)
      if (rows_[i / width_] > 0) means[i] = static_cast<float>(sums_[i] / static_cast<double>(rows_[i / width_]));
  }

 private:
  std::size_t width_;
  std::vector<double> sums_;
  std::vector<std::size_t> rows_;
};

}  // namespace

void MaskGroups::reduce(std::span<const float> map, float* reduced) {
  constexpr std::size_t kTimes = kSide / kReducedSide;
  std::fill_n(reduced, kReduced, 0.0f);
  for (std::size_t y = 0; y < kSide; ++y)
    for (std::size_t x = 0; x < kSide; ++x)
      reduced[y / kTimes * kReducedSide + x / kTimes] += map[y * kSide + x] / (kTimes * kTimes);
}

int MaskGroups::nearest_reduced(const float* reduced) const {
  std::size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t group = 0; group * kReduced < centres_.size(); ++group) {
    const float apart = distance(reduced, &centres_[group * kReduced], kReduced);
    if (apart < least) best = group, least = apart;
  }
  return static_cast<int>(best);
}

int MaskGroups::nearest(std::span<const float> map) const {
  float reduced[kReduced];
  reduce(map, reduced);
  return nearest_reduced(reduced);
}

std::span<const float> MaskGroups::mean(int group) const {
  return std::span(means_).subspan(static_cast<std::size_t>(group) * kCells, kCells);
}

// One centre after the other, each by chance, more likely the further a map is from those before (k-means++).
void MaskGroups::begin(const std::vector<float>& reduced, std::size_t groups, std::uint64_t seed, ThreadPool& pool) {
  const std::size_t count = reduced.size() / kReduced;
  std::vector<float> apart(count, std::numeric_limits<float>::max());
  std::size_t next = splitmix64(seed, 0) % count;
  for (std::size_t group = 1;; ++group) {
    const float* centre = &reduced[next * kReduced];
    centres_.insert(centres_.end(), centre, centre + kReduced);
    if (group == groups) return;
    pool.run(static_cast<std::int64_t>(count), [&](std::int64_t i, int) {
      const auto at = static_cast<std::size_t>(i);
      apart[at] = std::min(apart[at], distance(&reduced[at * kReduced], &centres_[(group - 1) * kReduced], kReduced));
    });
    double sum = 0;
    for (const float one : apart) sum += one;
    if (sum <= 0) return;
    double left = sum * uniform(seed, group);
    for (std::size_t i = 0; i < count && left >= 0; ++i)
      if (apart[i] > 0) next = i, left -= apart[i];
  }
}

MaskGroups::MaskGroups(std::int64_t count, const MapOf& map_of, int groups, std::uint64_t seed, ThreadPool& pool) {
  const auto maps = static_cast<std::size_t>(count);
  std::vector<float> reduced(maps * kReduced);
  pool.run(count, [&](std::int64_t i, int) { reduce(map_of(i), &reduced[static_cast<std::size_t>(i) * kReduced]); });
  begin(reduced, static_cast<std::size_t>(groups), seed, pool);
  std::vector<int> of(maps);
  const auto divide = [&] {
    pool.run(count, [&](std::int64_t i, int) {
      of[static_cast<std::size_t>(i)] = nearest_reduced(&reduced[static_cast<std::size_t>(i) * kReduced]);
    });
  };
  for (int move = 0; move < kMoves; ++move) {
    divide();
    Means centres(centres_.size(), kReduced);
    for (std::size_t i = 0; i < maps; ++i) centres.add(of[i], &reduced[i * kReduced]);
    centres.give(centres_);
  }
  divide();
  means_.resize(centres_.size() / kReduced * kCells);
  Means means(means_.size(), kCells);
  std::vector<std::vector<float>> together(kTogether);
  for (std::int64_t first = 0; first < count; first += kTogether) {
    const std::int64_t some = std::min(kTogether, count - first);
    pool.run(some, [&](std::int64_t i, int) { together[static_cast<std::size_t>(i)] = map_of(first + i); });
    for (std::int64_t i = 0; i < some; ++i)
      means.add(of[static_cast<std::size_t>(first + i)], together[static_cast<std::size_t>(i)].data());
  }
  means.give(means_);
}

}  // namespace paligemma
