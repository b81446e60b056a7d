#include "engine/kv_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/error.h"
#include "support/isas.h"

namespace paligemma {
namespace {

class KvPoolTest : public ::testing::Test {
 protected:
  KvPoolTest() { pool.reset(*backend, {.layers = 2, .kv_heads = 1, .head_size = 16, .dtype = DType::f32}, 5); }

  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1, .isa = "portable"});
  KvPool pool;
};

TEST_F(KvPoolTest, TakesBlocksAsPositionsCome) {
  BlockTable table;
  pool.make_writable(*backend, table, 0, 1);
  EXPECT_EQ(table.size(), 1u);
  pool.make_writable(*backend, table, 1, 64);
  EXPECT_EQ(table.size(), 1u);
  pool.make_writable(*backend, table, 64, 129);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(std::set<std::int32_t>(table.begin(), table.end()).size(), 3u);
}

// Full blocks stay shared; the one that is written to is copied, but not for its last user.
TEST_F(KvPoolTest, CopiesWhatIsSharedWhenItIsWritten) {
  BlockTable a;
  pool.make_writable(*backend, a, 0, 100);
  KvCache& cache = pool.cache();
  const std::size_t block_bytes = cache.bytes / static_cast<std::size_t>(cache.blocks);
  const auto bytes_of = [&](std::int32_t block) {
    return cache.storage.get() + static_cast<std::size_t>(block) * block_bytes;
  };
  std::memset(bytes_of(a[1]), 7, block_bytes);

  BlockTable b = pool.fork(a), c = pool.fork(a);
  EXPECT_EQ(a, b);
  pool.make_writable(*backend, b, 100, 101);
  EXPECT_EQ(b[0], a[0]);
  EXPECT_NE(b[1], a[1]);
  EXPECT_EQ(std::memcmp(bytes_of(a[1]), bytes_of(b[1]), block_bytes), 0);
  pool.release(a);
  const BlockTable before = c;
  pool.make_writable(*backend, c, 100, 101);
  EXPECT_EQ(c, before);
}

TEST_F(KvPoolTest, GivesBackWhatNobodyUses) {
  BlockTable a;
  pool.make_writable(*backend, a, 0, 5 * 64);
  BlockTable b = pool.fork(a), c;
  EXPECT_THROW(pool.make_writable(*backend, c, 0, 1), Error);
  pool.release(a);
  EXPECT_THROW(pool.make_writable(*backend, c, 0, 1), Error);
  pool.release(b);
  pool.make_writable(*backend, c, 0, 5 * 64);
  EXPECT_EQ(c.size(), 5u);
}

}  // namespace
}  // namespace paligemma
