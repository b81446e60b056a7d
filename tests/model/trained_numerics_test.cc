#include "model/trained_numerics.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using test::Scratch;

std::optional<TrainedNumerics> read(const Scratch& scratch, std::string_view text) {
  scratch.write(kTrainedNumericsFile, text);
  return read_trained_numerics(Folder::on_disk(scratch.folder(), ErrorKind::model));
}

TEST(TrainedNumerics, AreWhatWasWritten) {
  Config config;
  config.decoder.final_cap = 30;
  config.loc_divisor = 1024;
  config.noise_boxes = 32;
  config.score_calibration = ScoreCalibration{1.5, -2};
  const TrainedNumerics written = trained_numerics(config);
  const Scratch scratch;
  EXPECT_EQ(read(scratch, to_json(written).dump()), written);
  Config other;
  apply(written, other);
  EXPECT_EQ(other.noise_boxes, 32);
  EXPECT_EQ(other.score_calibration, config.score_calibration);
  EXPECT_EQ(other.loc_divisor, 1024);
  EXPECT_EQ(other.decoder.final_cap, 30);
}

TEST(TrainedNumerics, MayBeSilent) {
  const Scratch scratch;
  EXPECT_EQ(read_trained_numerics(Folder::on_disk(scratch.folder(), ErrorKind::model)), std::nullopt);
  EXPECT_EQ(read(scratch, "{}"), TrainedNumerics());
}

TEST(TrainedNumerics, OutsideTheirRangesAreRefused) {
  const Scratch scratch;
  for (const char* text :
       {R"({"paligemma_noise_boxes": -1})", R"({"paligemma_noise_boxes": 257})", R"({"paligemma_noise_boxes": 3.5})",
        R"({"paligemma_noise_boxes": "4"})", R"({"paligemma_noise_boxes": 18446744073709551615})",
        R"({"paligemma_score_slope": 1})", R"({"paligemma_score_slope": -1, "paligemma_score_offset": 0})",
        R"({"paligemma_score_slope": 1, "paligemma_score_offset": "0"})", R"({"paligemma_score_offset": 1})",
        R"({"paligemma_loc_divisor": 1000})", R"({"final_logit_softcapping": -3})", "[]"})
    expect_error(ErrorKind::model, "trained_numerics", "expected", [&] { read(scratch, text); });
}

}  // namespace
}  // namespace paligemma
