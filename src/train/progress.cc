#include "train/progress.h"

#include "base/error.h"
#include "train/curve.h"

namespace paligemma {

std::string progress_text(const RunProgress& progress) {
  std::string text = "loss " + short_number(progress.loss);
  if (progress.dense) text += join(", dense ", short_number(*progress.dense));
  if (progress.pictures_per_s > 0) text += join(", ", short_number(progress.pictures_per_s), " pictures/s");
  if (progress.latest) text += join(", ", progress.metric, " ", short_number(*progress.latest));
  if (progress.latest && progress.best)
    text += join(" (best ", short_number(*progress.best), " at ", progress.best_step, ")");
  if (progress.skipped > 0) text += join(", ", progress.skipped, " skipped");
  return text;
}

}  // namespace paligemma
