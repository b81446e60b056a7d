#include "train/mask_groups.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "shapes.h"
#include "train/codec_batches.h"

namespace paligemma::test {
namespace {

constexpr int kThings = 5, kSizes = 30;
constexpr std::size_t kGroupedCells = std::size_t{MaskCodec::kSide} * MaskCodec::kSide;

// Squares, each without another quarter, and one whole.
Mask thing_in_a_size(std::int64_t i) {
  const int thing = int(i % kThings), side = 30 + int(i / kThings);
  Mask mask{.width = side, .height = side};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) mask.inside.push_back(thing != 2 * (2 * y >= side) + (2 * x >= side));
  return mask;
}

std::vector<float> map_of(std::int64_t i) { return MaskShape(thing_in_a_size(i)).map({}); }

TEST(MaskGroups, AreWhatLooksAlike) {
  ThreadPool pool(2);
  const MaskGroups groups(kThings * kSizes, map_of, kThings, 1, pool);
  ASSERT_EQ(groups.count(), kThings);
  ASSERT_EQ(groups.means().size(), kThings * kGroupedCells);
  std::set<int> seen;
  for (int thing = 0; thing < kThings; ++thing) {
    const int group = groups.nearest(map_of(thing));
    seen.insert(group);
    std::vector<double> mean(kGroupedCells);
    for (int size = 0; size < kSizes; ++size) {
      const std::vector<float> map = map_of(size * kThings + thing);
      EXPECT_EQ(groups.nearest(map), group) << thing << " " << size;
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += map[i] / double{kSizes};
    }
    for (std::size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(groups.mean(group)[i], mean[i], 1e-5);
  }
  EXPECT_EQ(seen.size(), kThings);
}

TEST(MaskGroups, DoNotDependOnThreadsButOnTheSeed) {
  ThreadPool one(1), three(3);
  const auto means = [](std::uint64_t seed, ThreadPool& pool) {
    const MaskGroups groups(kThings * kSizes, map_of, 20, seed, pool);
    return std::vector<float>(groups.means().begin(), groups.means().end());
  };
  EXPECT_EQ(means(1, one), means(1, three));
  EXPECT_NE(means(1, one), means(2, one));
}

TEST(MaskGroups, AreNoMoreThanMapsDiffer) {
  ThreadPool pool(1);
  const auto two = [](std::int64_t i) { return map_of(i % 2); };
  const MaskGroups groups(9, two, 5, 1, pool);
  EXPECT_EQ(groups.count(), 2);
  EXPECT_NE(groups.nearest(map_of(0)), groups.nearest(map_of(1)));
  EXPECT_EQ(MaskGroups(1, two, 5, 1, pool).count(), 1);
}

TEST(CodecBatches, HaveTheMeansOfGroupsBeforeTheMasks) {
  ThreadPool pool(2);
  MaskSet masks(0, 1);
  for (std::int64_t i = 0; i < kThings * kSizes; ++i) masks.add(thing_in_a_size(i));
  const CodecBatches batches(masks, kThings, 1, pool), plain(masks, 0, 1, pool);
  const MaskGroups& groups = *batches.groups();
  const CodecBatch batch = batches.draw(40, 7);
  ASSERT_EQ(batch.groups.size(), 40);
  ASSERT_EQ(batch.maps.size(), 80 * kGroupedCells);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_THAT(std::span(batch.maps).subspan(i * kGroupedCells, kGroupedCells),
                ::testing::ElementsAreArray(groups.mean(batch.groups[i])));
    EXPECT_EQ(groups.nearest(std::span(batch.maps).subspan((40 + i) * kGroupedCells, kGroupedCells)), batch.groups[i]);
  }
  EXPECT_EQ(std::set<int>(batch.groups.begin(), batch.groups.end()).size(), kThings);
  EXPECT_NE(batches.draw(40, 8).maps, batch.maps);
  EXPECT_FALSE(plain.groups());
  EXPECT_TRUE(plain.draw(3, 7).groups.empty());
  EXPECT_EQ(plain.draw(3, 7).maps.size(), 3 * kGroupedCells);
}

}  // namespace
}  // namespace paligemma::test
