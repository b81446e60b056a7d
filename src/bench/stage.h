// The times of a stage and its ops as rates and as shares of the machine's limits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/limits.h"
#include "bench/op_clock.h"
#include "bench/work.h"

namespace paligemma {

// How fast work was done. The share is of the time that the machine needs at least, for the products or for reading,
// whichever is longer; 0 for what has neither.
struct Rate {
  double gflops = 0, gbs = 0;  // a second
  double share = 0;
};
Rate rate_of(const Work& work, double ms, const MachineLimits& limits, Precision precision);

// One kind of call within a stage, all of its calls together.
struct BenchOp {
  std::string name;  // function and shape: "linear 260 x 2304 -> 9216"
  std::int64_t calls = 0;
  Spread ms;
  Rate rate;  // of the median, as in the stage
};

struct BenchStage {
  std::string name;
  Spread ms;
  Work work;
  Rate rate;
  std::vector<BenchOp> ops;  // the longest first
};

// The times of all repetitions.
class StageTimes {
 public:
  // Of the stage as a whole, and of its calls, whose kinds, numbers and work are the same each time.
  void add(double ms, const OpClock::Ops& ops);

  const std::vector<double>& ms() const { return ms_; }
  BenchStage stage(std::string name, const Work& work, const MachineLimits& limits, Precision precision) const;

 private:
  std::vector<double> ms_;
  std::map<std::string, std::vector<double>> op_ms_;
  OpClock::Ops ops_;
};

}  // namespace paligemma
