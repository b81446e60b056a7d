// What this machine can do at most: multiply-adds in registers, and bytes read from memory.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "base/thread_pool.h"

namespace paligemma {

class MachineLimits {
 public:
  MachineLimits(int threads, Precision precision);

  // Measures once, in some tens of milliseconds; the best of all probes counts.
  void probe();

  int threads() const { return pool_.threads(); }
  double peak_gflops() const { return peak_gflops_; }
  double read_gbs() const { return read_gbs_; }

 private:
  double measure_flops();
  double measure_read();

  ThreadPool pool_;
  Precision precision_;
  std::vector<std::uint64_t> memory_;
  double peak_gflops_ = 0, read_gbs_ = 0;
};

}  // namespace paligemma
