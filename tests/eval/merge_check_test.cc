#include "eval/merge_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merge_model.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using test::golden;
using test::Scratch;

MergeCheck checked(const Scratch& scratch, DType weights) {
  const auto merged = scratch.folder() / name(weights);
  merge_model(open_model_files(golden("models/pg2")), golden("lora/plain"), merged, {}, {.weights = weights});
  return check_merge({golden("models/pg2"), {.adapters = {golden("lora/plain")}}}, merged);
}

// 4 layers of products of up to 112 numbers: rounding in f32 is 2^-24 of logits of some tens, a few thousand times over
// at most; in bf16 each weight is off by up to 2^-9 of itself.
TEST(MergeCheck, MergedInF32IsTheAttachedModel) {
  const Scratch scratch;
  const MergeCheck exact = checked(scratch, DType::f32), rounded = checked(scratch, DType::bf16);
  EXPECT_GT(exact.tokens, 4);
  EXPECT_EQ(exact.equal_tokens, exact.tokens);
  EXPECT_GT(exact.effect, 5);
  EXPECT_LT(exact.difference, 1e-3);
  EXPECT_GT(rounded.difference, 100 * exact.difference);
  EXPECT_LT(rounded.difference, rounded.effect / 2);
  EXPECT_TRUE(exact.keeps_adapter() && rounded.keeps_adapter());
}

// What a merge that ignores the adapter would give.
TEST(MergeCheck, SeesAnAdapterThatIsNotThere) {
  const MergeCheck check =
      check_merge({golden("models/pg2"), {.adapters = {golden("lora/plain")}}}, golden("models/pg2"));
  EXPECT_EQ(check.difference, check.effect);
  EXPECT_LT(check.equal_tokens, check.tokens);
  EXPECT_FALSE(check.keeps_adapter());
}

}  // namespace
}  // namespace paligemma
