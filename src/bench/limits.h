// What this machine can do at most: multiply-adds in registers, and bytes read from memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/peak.h"
#include "base/thread_pool.h"
#include "bench/spread.h"

namespace paligemma {

struct MachineLimits {
  std::array<Spread, kPrecisions> gflops;  // by Precision
  Spread read_gbs;

  // The best of all probes. What is computed in one arithmetic may as well be computed in a more exact one.
  double peak_gflops(Precision precision) const;
  double peak_gbs() const { return read_gbs.max; }
};

class LimitProbes {
 public:
  LimitProbes(Backend& backend, int threads);

  // Measures once, in some tens of milliseconds.
  void probe();

  int threads() const { return pool_.threads(); }
  MachineLimits limits() const;

 private:
  double measure_flops(Precision precision);
  double measure_read();

  ThreadPool pool_;
  Buffer memory_;
  std::array<std::vector<double>, kPrecisions> gflops_;
  std::vector<double> read_gbs_;
};

}  // namespace paligemma
