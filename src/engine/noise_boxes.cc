#include "engine/noise_boxes.h"

#include <algorithm>

namespace paligemma {
namespace {

constexpr std::ptrdiff_t kLocsOfABox = 4;

}  // namespace

void narrow(Allowed& allowed, const NoiseBoxes& noise, std::span<const std::int32_t> answer, std::int64_t room,
            std::int32_t eos) {
  if (noise.count == 0) return;
  const auto is_loc = [&](std::int32_t id) { return id >= noise.loc_begin && id < noise.loc_end; };
  allowed.except.push_back(noise.label);
  if (room <= 1) return;
  int named = 0;
  for (std::size_t i = 1; i < answer.size(); ++i) named += is_loc(answer[i - 1]) && !is_loc(answer[i]);
  if (named < noise.count) allowed.except.push_back(eos);
  const auto behind = std::find_if_not(answer.rbegin(), answer.rend(), is_loc);
  if (behind - answer.rbegin() < kLocsOfABox) return;
  allowed.only = noise.names;
  std::erase(allowed.only, noise.label);  // so that something is left
}

}  // namespace paligemma
