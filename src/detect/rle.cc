// COCO's run lengths. The pixels of the whole picture, column by column, are runs of 0 and 1 in turn, beginning with 0.
// A run is written as its difference to the run two before it (from the fourth run on), in groups of five bits, lowest
// first, as characters from '0' on: bit 5 says that more follow, bit 4 of the last one is the sign.
#include <algorithm>

#include "base/error.h"
#include "detect/mask.h"

namespace paligemma {
namespace {

class RunWriter {
 public:
  // Appends `count` pixels of one kind.
  void add(bool inside, std::int64_t count) {
    if (count == 0) return;
    if (inside != inside_) {
      end_run();
      inside_ = inside;
    }
    run_ += count;
  }

  std::string finish() {
    end_run();
    return std::move(counts_);
  }

 private:
  void end_run() {
    std::int64_t value = runs_ > 2 ? run_ - before_[1] : run_;
    bool more = true;
    while (more) {
      const int bits = static_cast<int>(value & 0x1f);
      value >>= 5;
      more = value != ((bits & 0x10) != 0 ? -1 : 0);
      counts_.push_back(static_cast<char>('0' + bits + (more ? 0x20 : 0)));
    }
    before_ = {run_, before_[0]};
    ++runs_;
    run_ = 0;
  }

  std::string counts_;
  bool inside_ = false;
  std::int64_t run_ = 0, runs_ = 0;
  std::array<std::int64_t, 2> before_{};  // the runs one and two before
};

}  // namespace

std::string coco_rle(const Mask& mask, int picture_width, int picture_height) {
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
  return writer.finish();
}

}  // namespace paligemma
