// What a run says of itself while it works, for one line: what stands behind the bar, which has the steps and the time
// that is left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace paligemma {

struct RunProgress {
  std::int64_t step = 0, steps = 0;  // done, and in all
  double loss = 0;                   // of the last step
  std::optional<double> dense{};     // of what image tokens are asked
  double pictures_per_s = 0;         // 0: not known yet
  std::string metric{};              // the one that decides; empty: none is evaluated
  std::optional<double> latest{}, best{};
  std::int64_t best_step = 0;
  std::int64_t skipped = 0;  // steps
};

// "loss 1.25, 3.5 pictures/s, mAP50 0.41 (best 0.45 at 200), 2 skipped".
std::string progress_text(const RunProgress& progress);

}  // namespace paligemma
