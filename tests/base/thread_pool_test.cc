#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace paligemma {
namespace {

TEST(ThreadPool, CallsEachIndexOnceForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.threads(), threads);
    for (const int count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      std::atomic<bool> known_thread = true;
      pool.run(count, [&](std::int64_t i, int thread) {
        ++calls[i];
        if (thread < 0 || thread >= threads) known_thread = false;
      });
      for (const auto& n : calls) EXPECT_EQ(n, 1);
      EXPECT_TRUE(known_thread);
    }
  }
}

TEST(ThreadPool, ZeroMeansTheCoresOfTheProcess) { EXPECT_GE(ThreadPool(0).threads(), 1); }

// Rounds so short that a thread may wake up late, in a later one, or not at all.
TEST(ThreadPool, ManySmallRounds) {
  ThreadPool pool(4);
  std::vector<std::int64_t> cells(5);  // without atomics: run() must order what the rounds write
  for (int round = 0; round < 5000; ++round) pool.run(5, [&](std::int64_t i, int) { cells[i] += round; });
  for (const std::int64_t cell : cells) EXPECT_EQ(cell, 5000LL * 4999 / 2);
}

TEST(ThreadPool, ThreadsHaveDistinctNumbers) {
  ThreadPool pool(4);
  std::vector<int> inside(4);  // by thread: a number that two threads shared would be seen as 2, or by the sanitizer
  std::atomic<bool> alone = true;
  pool.run(2000, [&](std::int64_t, int thread) {
    if (++inside[thread] != 1) alone = false;
    --inside[thread];
  });
  EXPECT_TRUE(alone);
}

// Workers that wake up late for a loop meet the end of the pool.
TEST(ThreadPool, EndsRightAfterALoop) {
  for (int round = 0; round < 3000; ++round) {
    ThreadPool pool(4);
    pool.run(2, [](std::int64_t, int) {});
  }
}

}  // namespace
}  // namespace paligemma
