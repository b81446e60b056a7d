#include "bench/work.h"

#include <gtest/gtest.h>

#include "bench/shapes.h"
#include "tiny.h"

namespace paligemma {
namespace {

constexpr MatrixBytes kBytes{.vision = 3e9, .decoder = 5e9};

// Counted from the sizes by hand: 16 image tokens of 588 values; a block of the tower has 4 * 32 * 32 + 2 * 32 * 96
// weights, the projector 32 * 64.
TEST(Work, OfPictures) {
  const Work work = vision_work(tiny_config(), kBytes, 2);
  const double weights = 588 * 32 + 2 * 10240 + 32 * 64, attention = 2 * (2 * 16 * 16 * 32 + 2 * 16 * 16 * 32);
  EXPECT_DOUBLE_EQ(work.gflop, 2 * (2 * 16 * weights + attention) / 1e9);
  EXPECT_DOUBLE_EQ(work.gb, 3);
}

// A block of the decoder: q and the output 64 * 128 each, k and v 64 * 64 each, 3 * 64 * 160.
TEST(Work, OfPrompts) {
  const Work work = prefill_work(tiny_config(), kBytes, 3, 20);
  const double weights = 3 * (2 * 64 * 128 + 2 * 64 * 64 + 3 * 64 * 160), attention = 3 * (4 * 20 * 20 * 128);
  EXPECT_DOUBLE_EQ(work.gflop, 3 * (2 * 20 * weights + attention + 2 * 64 * 256) / 1e9);
  EXPECT_DOUBLE_EQ(work.gb, 5);
}

TEST(Work, OfATokenReadsWeightsOnceAndEveryCache) {
  const Work work = decode_work(tiny_config(), kBytes, 3, 21, 2);
  const double weights = 3 * (2 * 64 * 128 + 2 * 64 * 64 + 3 * 64 * 160), attention = 3 * (4 * 21 * 128);
  EXPECT_DOUBLE_EQ(work.gflop, 3 * (2 * weights + attention + 2 * 64 * 256) / 1e9);
  EXPECT_DOUBLE_EQ(work.gb, (5e9 + 3 * (2 * 21 * 3 * 64 * 2)) / 1e9);
}

// Blocks of 32 take 32 bytes and a scale of 2, or 16 and 2; the tower's 588 values are no whole blocks, and its q4 is
// q8. All rows here are whole panels of 16. A panel's scales fill whole lines of 64 bytes: 32 are left over where its
// rows have an odd number of blocks. Those are all of the tower's, 16 in a block and 4 in the projector, and 4 in each
// block of the decoder, whose rows of 160 have five.
TEST(Work, BytesAreThoseOfBlocksAndScales) {
  const Config config = tiny_config();
  const auto backend = make_cpu_backend({.threads = 1});
  const double tower = 2 * 10240 + 32 * 64, decoder = 3 * (2 * 64 * 128 + 2 * 64 * 64 + 3 * 64 * 160) + 64 * 256;
  const double left_of_tower = 32 * (2 * 16 + 4), left_of_decoder = 32 * (3 * 4);
  const auto bytes = [&](HeldAs held) {
    Network network = load_network(config, random_source(config, 1), {held, Precision::bf16}, *backend);
    return matrix_bytes(network, config);
  };
  const MatrixBytes bf16 = bytes(HeldAs::bf16), q8 = bytes(HeldAs::q8), q4 = bytes(HeldAs::q4);
  EXPECT_EQ(bf16.vision, 2 * (588 * 32 + tower));
  EXPECT_EQ(bf16.decoder, 2 * decoder);
  EXPECT_EQ(q8.vision, 2 * 588 * 32 + tower * 34 / 32 + left_of_tower);
  EXPECT_EQ(q8.decoder, decoder * 34 / 32 + left_of_decoder);
  EXPECT_EQ(q4.vision, q8.vision);
  EXPECT_EQ(q4.decoder, decoder * 18 / 32 + left_of_decoder);
}

}  // namespace
}  // namespace paligemma
