// The maps that a mask codec learns from, step by step.
#pragma once

#include <optional>

#include "train/mask_groups.h"
#include "train/mask_set.h"

namespace paligemma {

struct CodecBatch {
  std::vector<float> maps;  // (count, 64, 64)
  // Of each of the last half of the maps, and as many means of these come before; empty: maps stand for themselves.
  std::vector<int> groups;
};

// Masks most of which are changed: what is learned of the few that there are as they are does not hold for others. Or,
// in `groups` of which there are some, masks as they are, in pixels of many sizes.
class CodecBatches {
 public:
  // `masks`, which must outlive it, has some.
  CodecBatches(const MaskSet& masks, int groups, std::uint64_t seed, ThreadPool& pool);

  // Of so many masks.
  CodecBatch draw(int count, std::uint64_t seed) const;

  const std::optional<MaskGroups>& groups() const { return groups_; }

 private:
  std::vector<float> map(std::uint64_t drawn) const;

  const MaskSet& masks_;
  ThreadPool& pool_;
  bool grouped_;
  std::optional<MaskGroups> groups_;
};

}  // namespace paligemma
