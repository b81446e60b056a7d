#include "detect/run_lengths.h"

#include <algorithm>

namespace paligemma {
namespace {

// One run after the other of a mask.
class RunReader {
 public:
  explicit RunReader(const RunLengths& runs) : counts_(runs.counts) { skip_empty(); }

  bool done() const { return at_ == counts_.size(); }
  bool inside() const { return at_ % 2 == 1; }
  std::uint32_t left() const { return counts_[at_] - taken_; }
  void take(std::uint32_t pixels) {
    taken_ += pixels;
    skip_empty();
  }

 private:
  void skip_empty() {
    while (at_ < counts_.size() && taken_ == counts_[at_]) ++at_, taken_ = 0;
  }

  std::span<const std::uint32_t> counts_;
  std::size_t at_ = 0;
  std::uint32_t taken_ = 0;
};

}  // namespace

std::string run_lengths_text(const RunLengths& runs) {
  std::string text;
  for (std::size_t i = 0; i < runs.counts.size(); ++i) {
    std::int64_t value = runs.counts[i];
    if (i > 2) value -= runs.counts[i - 2];
    for (bool more = true; more;) {
      const int bits = static_cast<int>(value & 0x1f);
      value >>= 5;
      more = value != ((bits & 0x10) != 0 ? -1 : 0);
      text.push_back(static_cast<char>('0' + bits + (more ? 0x20 : 0)));
    }
  }
  return text;
}

std::optional<std::vector<std::uint32_t>> read_run_lengths(std::string_view text) {
  constexpr int kMostGroups = 7;  // of five bits: 32 bits and a sign
  std::vector<std::uint32_t> runs;
  for (std::size_t at = 0; at < text.size();) {
    std::int64_t value = 0;
    int groups = 0;
    for (bool more = true; more; ++groups) {
      if (at == text.size() || groups == kMostGroups) return {};
      const int bits = text[at++] - '0';
      if (bits < 0 || bits > 0x3f) return {};
      value |= static_cast<std::int64_t>(bits & 0x1f) << (5 * groups);
      more = (bits & 0x20) != 0;
      if (!more && (bits & 0x10) != 0) value -= std::int64_t{1} << (5 * (groups + 1));
    }
    if (runs.size() > 2) value += runs[runs.size() - 2];
    if (value < 0 || value > UINT32_MAX) return {};
    runs.push_back(static_cast<std::uint32_t>(value));
  }
  return runs;
}

bool fits(const RunLengths& runs) {
  if (runs.height == 0) return true;
  std::uint64_t sum = 0;
  for (const std::uint32_t count : runs.counts) sum += count;
  return sum == static_cast<std::uint64_t>(runs.width) * static_cast<std::uint64_t>(runs.height);
}

std::int64_t pixels_inside(const RunLengths& runs) {
  std::int64_t sum = 0;
  for (std::size_t i = 1; i < runs.counts.size(); i += 2) sum += runs.counts[i];
  return sum;
}

std::int64_t pixels_inside(const RunLengths& a, const RunLengths& b) {
  std::int64_t both = 0;
  RunReader one(a), two(b);
  while (!one.done() && !two.done()) {
    const std::uint32_t pixels = std::min(one.left(), two.left());
    if (one.inside() && two.inside()) both += pixels;
    one.take(pixels);
    two.take(pixels);
  }
  return both;
}

}  // namespace paligemma
