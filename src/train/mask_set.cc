#include "train/mask_set.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "detect/mask.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

bool is_png(const fs::directory_entry& entry) {
  std::error_code ignored;
  std::string suffix = entry.path().extension().string();
  std::ranges::transform(suffix, suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return suffix == ".png" && !entry.path().filename().native().starts_with('.') && !entry.is_directory(ignored);
}

Mask mask_of(const Picture& picture) {
  Mask mask{.width = picture.width, .height = picture.height};
  mask.inside.resize(picture.rgb.size() / 3);
  const int threshold = std::ranges::any_of(picture.rgb, [](std::uint8_t value) { return value > 127; }) ? 127 : 0;
  for (std::size_t i = 0; i < mask.inside.size(); ++i)
    mask.inside[i] = std::max({picture.rgb[3 * i], picture.rgb[3 * i + 1], picture.rgb[3 * i + 2]}) > threshold;
  return mask;
}

}  // namespace

// One of the masks [block / fraction, (block + 1) / fraction) for each whole `block`.
bool MaskSet::holds_out(std::int64_t index) const {
  if (fraction_ <= 0) return false;
  const auto block = static_cast<std::int64_t>(std::floor(static_cast<double>(index) * fraction_));
  for (const std::int64_t b : {block, block + 1}) {
    const double at = (static_cast<double>(b) + uniform(seed_, static_cast<std::uint64_t>(b))) / fraction_;
    if (static_cast<std::int64_t>(at) == index) return true;
  }
  return false;
}

void MaskSet::add(const Mask& mask, const std::array<double, 4>& box) {
  if (tight_box(mask, box)[2] == 0) {
    ++empty_;
    return;
  }
  MaskShape shape(mask, box);
  fingerprint_ = splitmix64(fingerprint_, shape.fingerprint());
  if (holds_out(count_++)) {
    for (const float coverage : crop_mask(mask, box))
      held_out_maps_.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(coverage, 0.0f, 1.0f))));
    held_out_.push_back(std::move(shape));
  } else {
    shapes_.push_back(std::move(shape));
  }
}

std::vector<float> MaskSet::held_out_maps() const {
  std::vector<float> maps(held_out_maps_.size());
  std::ranges::transform(held_out_maps_, maps.begin(), [](std::uint8_t value) { return float(value) / 255; });
  return maps;
}

std::vector<UnreadableMask> read_mask_folder(const fs::path& folder, const std::function<void(const Mask&)>& take) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (is_png(*it)) files.push_back(it->path());
  if (error)
    fail(ErrorKind::input, "file_not_found", "reading masks: ", folder.string(),
         ": expected a folder of PNG masks: ", error.message());
  if (files.empty())
    fail(ErrorKind::input, "no_masks", "reading masks: ", folder.string(),
         ": expected PNG files, one mask each, got none. Try: a COCO document itself");
  std::ranges::sort(files);
  std::vector<UnreadableMask> unreadable;
  for (const fs::path& file : files) try {
      take(mask_of(read_picture(file)));
    } catch (const Error& problem) {
      if (problem.kind() != ErrorKind::input) throw;
      unreadable.push_back({file.string(), problem.what()});
    }
  return unreadable;
}

}  // namespace paligemma
