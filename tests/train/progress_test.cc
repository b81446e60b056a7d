#include "train/progress.h"

#include <gtest/gtest.h>

namespace paligemma::test {
namespace {

TEST(Progress, SaysWhatIsKnown) {
  RunProgress progress{.step = 3, .steps = 800, .loss = 1.23456};
  EXPECT_EQ(progress_text(progress), "loss 1.235");
  progress.pictures_per_s = 3.5;
  progress.metric = "mAP50";
  EXPECT_EQ(progress_text(progress), "loss 1.235, 3.5 pictures/s");
  progress.latest = 0.41;
  EXPECT_EQ(progress_text(progress), "loss 1.235, 3.5 pictures/s, mAP50 0.41");
  progress.best = 0.45;
  progress.best_step = 200;
  progress.skipped = 2;
  EXPECT_EQ(progress_text(progress), "loss 1.235, 3.5 pictures/s, mAP50 0.41 (best 0.45 at 200), 2 skipped");
}

}  // namespace
}  // namespace paligemma::test
