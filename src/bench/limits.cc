#include "bench/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>

#include "backend/cpu/peak.h"

namespace paligemma {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 20;  // far above any cache
constexpr std::int64_t kFlopSteps = 2'000'000;

double seconds_of(ThreadPool& pool, std::int64_t tasks, const std::function<void(std::int64_t, int)>& task) {
  const auto start = std::chrono::steady_clock::now();
  pool.run(tasks, task);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

MachineLimits::MachineLimits(int threads, Precision precision)
    : pool_(threads), precision_(precision), memory_(kReadBytes / sizeof(std::uint64_t), 1) {}

// Three in a row: on a shared machine one often falls into another's time slice.
void MachineLimits::probe() {
  for (int i = 0; i < 3; ++i) {
    peak_gflops_ = std::max(peak_gflops_, measure_flops());
    read_gbs_ = std::max(read_gbs_, measure_read());
  }
}

double MachineLimits::measure_flops() {
  std::atomic<double> flops{0};
  const double seconds = seconds_of(pool_, pool_.threads(),
                                    [&](std::int64_t, int) { flops += multiply_add_loop(precision_, kFlopSteps); });
  return flops / seconds / 1e9;
}

double MachineLimits::measure_read() {
  const std::int64_t parts = 16 * pool_.threads();
  const std::size_t part = memory_.size() / static_cast<std::size_t>(parts);
  std::atomic<std::uint64_t> total{0};
  const double seconds = seconds_of(pool_, parts, [&](std::int64_t index, int) {
    // Four streams at once, as a decode step reads its panels: one alone does not keep the memory busy.
    constexpr std::size_t kStreams = 4;
    const std::uint64_t* at = memory_.data() + static_cast<std::size_t>(index) * part;
    const std::size_t stream = part / kStreams;
    std::uint64_t sums[kStreams][8] = {};
    for (std::size_t i = 0; i + 8 <= stream; i += 8)
      for (std::size_t s = 0; s < kStreams; ++s)
        for (std::size_t k = 0; k < 8; ++k) sums[s][k] += at[s * stream + i + k];
    std::uint64_t sum = 0;
    for (const auto& lanes : sums)
      for (const std::uint64_t lane : lanes) sum += lane;
    total += sum;
  });
  return static_cast<double>(kReadBytes) / seconds / 1e9 * (total > 0);
}

}  // namespace paligemma
