#include "ops/pass.h"

#include <algorithm>

namespace paligemma {

View Arena::rows(std::int64_t rows, std::int64_t cols) {
  constexpr std::size_t kAlignment = 64;
  const std::size_t bytes =
      (static_cast<std::size_t>(rows * cols) * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  while (top_.chunk < chunks_.size() && top_.used + bytes > chunks_[top_.chunk].bytes) top_ = {top_.chunk + 1, 0};
  if (top_.chunk == chunks_.size()) {
    const std::size_t chunk_bytes = std::max(bytes, chunk_bytes_);
    chunks_.push_back({backend_.allocate(chunk_bytes), chunk_bytes});
  }
  auto* data = reinterpret_cast<float*>(chunks_[top_.chunk].memory.get() + top_.used);
  top_.used += bytes;
  std::size_t in_use = top_.used;
  for (std::size_t i = 0; i < top_.chunk; ++i) in_use += chunks_[i].bytes;
  most_ = std::max(most_, in_use);
  return {data, rows, cols};
}

}  // namespace paligemma
