// The runs of a mask. A picture may be large and its mask small: what is outside of the mask's rectangle takes no time.
#include <algorithm>

#include "base/error.h"
#include "detect/mask.h"
#include "detect/run_lengths.h"

namespace paligemma {
namespace {

class RunWriter {
 public:
  // Appends `count` pixels of one kind.
  void add(bool inside, std::int64_t count) {
    if (count == 0) return;
    if (inside != inside_) {
      counts_.push_back(0);
      inside_ = inside;
    }
    counts_.back() += static_cast<std::uint32_t>(count);
  }

  std::vector<std::uint32_t> finish() { return std::move(counts_); }

 private:
  bool inside_ = false;
  std::vector<std::uint32_t> counts_ = {0};
};

}  // namespace

RunLengths run_lengths(const Mask& mask, int picture_width, int picture_height) {
  check_mask(mask);
  if (mask.x < 0 || mask.y < 0 || mask.width > picture_width - mask.x || mask.height > picture_height - mask.y)
    fail(ErrorKind::usage, "mask", "writing run lengths: expected a mask inside ", picture_width, " x ", picture_height,
         ", got ", mask.width, " x ", mask.height, " at ", mask.x, ", ", mask.y);
  const std::int64_t height = picture_height;
  RunWriter writer;
  writer.add(false, mask.x * height);
  constexpr int kStrip = 64;  // columns that are turned at once: a cache line of each row is read whole
  std::vector<std::uint8_t> columns(std::size_t(kStrip) * mask.height);
  for (int first = 0; first < mask.width; first += kStrip) {
    const int count = std::min(kStrip, mask.width - first);
    for (int y = 0; y < mask.height; ++y)
      for (int x = 0; x < count; ++x)
        columns[std::size_t(x) * mask.height + y] = mask.inside[std::size_t(y) * mask.width + first + x] != 0;
    for (int x = 0; x < count; ++x) {
      writer.add(false, mask.y);
      const auto column = columns.begin() + std::ptrdiff_t(x) * mask.height, end = column + mask.height;
      for (auto at = column; at != end;) {
        const auto change = std::find(at, end, *at ^ 1);
        writer.add(*at != 0, change - at);
        at = change;
      }
      writer.add(false, height - mask.y - mask.height);
    }
  }
  writer.add(false, (std::int64_t{picture_width} - mask.x - mask.width) * height);
  return {.width = picture_width, .height = picture_height, .counts = writer.finish()};
}

std::string coco_rle(const Mask& mask, int picture_width, int picture_height) {
  return run_lengths_text(run_lengths(mask, picture_width, picture_height));
}

}  // namespace paligemma
