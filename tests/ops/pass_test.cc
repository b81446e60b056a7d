#include "ops/pass.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace paligemma {
namespace {

struct ArenaTest : ::testing::Test {
  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  Arena arena{*backend};
};

TEST_F(ArenaTest, ViewsAreAlignedAndApart) {
  const View a = arena.rows(3, 5), b = arena.rows(1, 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data) % 64, 0u);
  EXPECT_GE(b.data - a.data, 15);
}

TEST_F(ArenaTest, ScopeGivesBackAndMemoryIsUsedAgain) {
  float* first = nullptr;
  for (int round = 0; round < 3; ++round) {
    const ArenaScope scope(arena);
    arena.rows(1, 7);
    const View large = arena.rows(1024, 4096);  // more than a chunk
    large.data[1024 * 4096 - 1] = 1;
    if (round == 0) first = large.data;
    EXPECT_EQ(large.data, first);
  }
}

TEST_F(ArenaTest, NamesArePutTogetherForTheTap) {
  std::vector<std::string> names;
  Pass pass{*backend, arena, Precision::f32, [&](std::string_view name, ConstView) { names.emplace_back(name); }};
  pass.see("projector", View{});
  pass.see({"decoder.layers", 12}, "mlp.gate_proj", View{});
  pass.see({"vision.layers", 0}, "", View{});
  EXPECT_EQ(names, (std::vector<std::string>{"projector", "decoder.layers.12.mlp.gate_proj", "vision.layers.0"}));
}

}  // namespace
}  // namespace paligemma
