#include "bench/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>

namespace paligemma {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 20;  // far above any cache
constexpr std::int64_t kFlopSteps = 1'000'000;
constexpr int kTries = 3;  // of a probe, the best counts: on a shared machine one falls into another's time slice

double seconds_of(ThreadPool& pool, std::int64_t tasks, const std::function<void(std::int64_t, int)>& task) {
  const auto start = std::chrono::steady_clock::now();
  pool.run(tasks, task);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Several streams at once, as a decode step reads its panels: one alone does not keep the memory busy.
std::uint64_t sum_of(const std::uint64_t* at, std::size_t count) {
  constexpr std::size_t kStreams = 4, kLine = 8;
  const std::size_t stream = count / kStreams;
  std::uint64_t sums[kStreams][kLine] = {};
  for (std::size_t i = 0; i + kLine <= stream; i += kLine)
    for (std::size_t s = 0; s < kStreams; ++s)
      for (std::size_t k = 0; k < kLine; ++k) sums[s][k] += at[s * stream + i + k];
  std::uint64_t sum = 0;
  for (const auto& lanes : sums)
    for (const std::uint64_t lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double MachineLimits::peak_gflops(Precision precision) const {
  double best = 0;
  for (int i = 0; i <= static_cast<int>(precision); ++i) best = std::max(best, gflops[static_cast<std::size_t>(i)].max);
  return best;
}

// The memory comes from the back end, so that its pages are as large as those of weights. It is written once: pages
// that never were are all the same one.
LimitProbes::LimitProbes(Backend& backend, int threads) : pool_(threads), memory_(backend.allocate(kReadBytes)) {
  std::memset(memory_.get(), 1, kReadBytes);
}

void LimitProbes::probe() {
  std::array<double, kPrecisions> gflops{};
  double read_gbs = 0;
  for (int i = 0; i < kTries; ++i) {
    for (int a = 0; a < kPrecisions; ++a) {
      double& best = gflops[static_cast<std::size_t>(a)];
      best = std::max(best, measure_flops(static_cast<Precision>(a)));
    }
    read_gbs = std::max(read_gbs, measure_read());
  }
  for (std::size_t a = 0; a < gflops.size(); ++a) gflops_[a].push_back(gflops[a]);
  read_gbs_.push_back(read_gbs);
}

MachineLimits LimitProbes::limits() const {
  MachineLimits limits{.gflops = {}, .read_gbs = spread_of(read_gbs_)};
  for (std::size_t a = 0; a < gflops_.size(); ++a) limits.gflops[a] = spread_of(gflops_[a]);
  return limits;
}

double LimitProbes::measure_flops(Precision precision) {
  std::atomic<double> flops{0};
  const double seconds =
      seconds_of(pool_, pool_.threads(), [&](std::int64_t, int) { flops += multiply_add_loop(precision, kFlopSteps); });
  return flops / seconds / 1e9;
}

double LimitProbes::measure_read() {
  const std::int64_t parts = 16 * pool_.threads();
  const std::size_t part = kReadBytes / sizeof(std::uint64_t) / static_cast<std::size_t>(parts);
  std::atomic<std::uint64_t> total{0};
  const double seconds = seconds_of(pool_, parts, [&](std::int64_t index, int) {
    const auto* memory = reinterpret_cast<const std::uint64_t*>(memory_.get());
    total += sum_of(memory + static_cast<std::size_t>(index) * part, part);
  });
  return static_cast<double>(kReadBytes) / seconds / 1e9 * (total > 0);
}

}  // namespace paligemma
