#include "bench/stage.h"

#include <algorithm>
#include <functional>

namespace paligemma {

Rate rate_of(const Work& work, double ms, const MachineLimits& limits, Precision precision) {
  const double seconds = ms / 1000;
  Rate rate{.gflops = work.gflop / seconds, .gbs = work.gb / seconds};
  rate.share = std::max(rate.gflops / limits.peak_gflops(precision), rate.gbs / limits.peak_gbs());
  return rate;
}

void StageTimes::add(double ms, const OpClock::Ops& ops) {
  ms_.push_back(ms);
  for (const auto& [name, op] : ops) op_ms_[name].push_back(1000 * op.seconds);
  ops_ = ops;
}

BenchStage StageTimes::stage(std::string name, const Work& work, const MachineLimits& limits,
                             Precision precision) const {
  BenchStage stage{.name = std::move(name), .ms = spread_of(ms_), .work = work};
  stage.rate = rate_of(work, stage.ms.median, limits, precision);
  for (const auto& [op_name, op] : ops_) {
    const Spread ms = spread_of(op_ms_.at(op_name));
    stage.ops.push_back({op_name, op.calls, ms, rate_of(op.work, ms.median, limits, precision)});
  }
  std::ranges::sort(stage.ops, std::greater{}, [](const BenchOp& op) { return op.ms.median; });
  return stage;
}

}  // namespace paligemma
