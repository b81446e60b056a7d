#include "engine/noise_boxes.h"

namespace paligemma {
namespace {

constexpr std::int32_t kLocs = 1024;

int named_boxes(std::span<const std::int32_t> answer, std::int32_t loc_begin) {
  const auto is_loc = [&](std::int32_t id) { return id >= loc_begin && id - loc_begin < kLocs; };
  int count = 0;
  for (std::size_t i = 1; i < answer.size(); ++i) count += is_loc(answer[i - 1]) && !is_loc(answer[i]);
  return count;
}

}  // namespace

std::vector<std::int32_t> excluded(const NoiseBoxes& noise, std::span<const std::int32_t> answer, std::int64_t room,
                                   std::int32_t eos) {
  if (noise.count == 0) return {};
  if (room <= 1 || named_boxes(answer, noise.loc_begin) >= noise.count) return {noise.label};
  return {noise.label, eos};
}

}  // namespace paligemma
