#include "train/codec_batches.h"

#include <algorithm>

#include "base/random.h"
#include "detect/mask_codec.h"

namespace paligemma {
namespace {

constexpr std::size_t kBatchedCells = std::size_t{MaskCodec::kSide} * MaskCodec::kSide;
constexpr std::int64_t kMostGroupedMasks = 1 << 15;  // from which groups are made

}  // namespace

CodecBatches::CodecBatches(const MaskSet& masks, int groups, std::uint64_t seed, ThreadPool& pool)
    : masks_(masks), pool_(pool), grouped_(groups > 0) {
  if (!grouped_) return;
  const auto all = static_cast<std::int64_t>(masks.shapes().size()), count = std::min(all, kMostGroupedMasks);
  // As they are: means of masks in larger pixels, too, would overlap less even with those.
  const auto map_of = [&](std::int64_t i) { return masks.shapes()[static_cast<std::size_t>(i * all / count)].map({}); };
  groups_.emplace(count, map_of, groups, seed, pool);
}

std::vector<float> CodecBatches::map(std::uint64_t drawn) const {
  const MaskShape& shape = masks_.shapes()[drawn % masks_.shapes().size()];
  return shape.map(grouped_ ? random_recut(splitmix64(drawn, 2)) : random_change(splitmix64(drawn, 0)));
}

CodecBatch CodecBatches::draw(int count, std::uint64_t seed) const {
  CodecBatch batch{.maps = std::vector<float>((grouped_ ? 2 : 1) * static_cast<std::size_t>(count) * kBatchedCells),
                   .groups = std::vector<int>(grouped_ ? static_cast<std::size_t>(count) : 0)};
  const auto place = [&](std::int64_t i) { return batch.maps.begin() + i * std::ptrdiff_t(kBatchedCells); };
  pool_.run(count, [&](std::int64_t i, int) {
    const std::vector<float> one = map(splitmix64(seed, static_cast<std::uint64_t>(i)));
    std::ranges::copy(one, place(grouped_ ? count + i : i));
    if (!grouped_) return;
    const int group = groups_->nearest(one);
    batch.groups[static_cast<std::size_t>(i)] = group;
    std::ranges::copy(groups_->mean(group), place(i));
  });
  return batch;
}

}  // namespace paligemma
