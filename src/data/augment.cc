#include "data/augment.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::uint8_t kCanvas = 128;

bool is_word_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

std::string as_in(std::string_view original, std::string_view word) {
  std::string text(word);
  const auto upper = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; };
  if (std::ranges::all_of(original, upper)) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  } else if (upper(original[0])) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  }
  return text;
}

// Empty for a word that is of neither side.
std::string other_side(std::string_view word) {
  std::string lower(word);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& [left, right] :
       {std::pair("left", "right"), std::pair("leftmost", "rightmost"), std::pair("lefthand", "righthand"),
        std::pair("leftward", "rightward"), std::pair("leftwards", "rightwards")}) {
    if (lower == left) return as_in(word, right);
    if (lower == right) return as_in(word, left);
  }
  return {};
}

bool spells_loc(const DecodedSample& sample) {
  const auto has_loc = [](const std::string& text) { return text.find("<loc") != text.npos; };
  return has_loc(sample.prefix) || std::ranges::any_of(sample.answers, has_loc);
}

bool is_reading(const DecodedSample& sample) {
  return sample.prefix.starts_with("ocr") || sample.prefix.starts_with("read");
}

// Whether classes keep their names, or become others of the data.
bool may_flip(const DecodedSample& sample, std::span<const std::string> classes) {
  return std::ranges::all_of(sample.objects, [&](const DecodedObject& object) {
    const std::string flipped = flip_words(object.label);
    return flipped == object.label || std::ranges::count(classes, flipped) > 0;
  });
}

Picture cut_picture(const Picture& picture, const CutWindow& window) {
  Picture cut{.width = window.width, .height = window.height};
  cut.rgb.assign(std::size_t{3} * window.width * window.height, kCanvas);
  const int left = std::max(window.x, 0), right = std::min(window.x + window.width, picture.width);
  for (int y = std::max(window.y, 0); left < right && y < std::min(window.y + window.height, picture.height); ++y) {
    const auto row = picture.rgb.begin() + std::ptrdiff_t{3} * (std::ptrdiff_t{y} * picture.width + left);
    std::copy(row, row + std::ptrdiff_t{3} * (right - left),
              cut.rgb.begin() + std::ptrdiff_t{3} * (std::ptrdiff_t{y - window.y} * window.width + (left - window.x)));
  }
  return cut;
}

Mask cut_mask(const Mask& mask, const CutWindow& window) {
  const int left = std::max(mask.x, window.x), right = std::min(mask.x + mask.width, window.x + window.width);
  const int top = std::max(mask.y, window.y), bottom = std::min(mask.y + mask.height, window.y + window.height);
  if (left >= right || top >= bottom) return {};
  Mask cut{.x = left - window.x, .y = top - window.y, .width = right - left, .height = bottom - top};
  for (int y = top; y < bottom; ++y) {
    const auto row = mask.inside.begin() + std::ptrdiff_t{y - mask.y} * mask.width + (left - mask.x);
    cut.inside.insert(cut.inside.end(), row, row + (right - left));
  }
  return cut;
}

// False for an object that is no longer seen.
bool cut_object(DecodedObject& object, const CutWindow& window) {
  constexpr double kSeen = 0.2;
  const auto& [x1, y1, x2, y2] = object.box;
  const std::array<double, 4> cut = {
      std::clamp(x1 - window.x, 0.0, double(window.width)), std::clamp(y1 - window.y, 0.0, double(window.height)),
      std::clamp(x2 - window.x, 0.0, double(window.width)), std::clamp(y2 - window.y, 0.0, double(window.height))};
  const double before = (x2 - x1) * (y2 - y1), after = (cut[2] - cut[0]) * (cut[3] - cut[1]);
  if (!(after > 0 && after >= kSeen * before)) return false;
  object.box = cut;
  if (!object.mask) return true;
  object.mask = cut_mask(*object.mask, window);
  return std::ranges::any_of(object.mask->inside, [](std::uint8_t inside) { return inside != 0; });
}

bool holds(const CutWindow& window, const DecodedObject& object) {
  return object.box[0] >= window.x && object.box[1] >= window.y && object.box[2] <= window.x + window.width &&
         object.box[3] <= window.y + window.height;
}

void crop_sample(DecodedSample& sample, Dice& dice) {
  constexpr int kTries = 30;
  const int width = sample.picture.width, height = sample.picture.height;
  for (int i = 0; i < kTries; ++i) {
    const double area = dice.between(0.1, 1) * width * height;
    const double aspect = std::exp(dice.between(std::log(3.0 / 4), std::log(4.0 / 3)));
    CutWindow window{.width = static_cast<int>(std::lround(std::sqrt(area * aspect))),
                     .height = static_cast<int>(std::lround(std::sqrt(area / aspect)))};
    const double x = dice.share(), y = dice.share();
    if (window.width < 1 || window.height < 1 || window.width > width || window.height > height) continue;
    window.x = static_cast<int>(x * (width - window.width + 1));
    window.y = static_cast<int>(y * (height - window.height + 1));
    const auto is_whole = [&](const DecodedObject& object) { return holds(window, object); };
    if (sample.objects.empty() || std::ranges::any_of(sample.objects, is_whole)) return cut_window(sample, window);
  }
}

void zoom_out_sample(DecodedSample& sample, Dice& dice) {
  constexpr double kMost = 1.5;
  const int width = sample.picture.width, height = sample.picture.height;
  const double by = dice.between(1, kMost);
  CutWindow window{.width = static_cast<int>(std::lround(by * width)),
                   .height = static_cast<int>(std::lround(by * height))};
  window.x = -static_cast<int>(dice.below(static_cast<std::size_t>(window.width - width + 1)));
  window.y = -static_cast<int>(dice.below(static_cast<std::size_t>(window.height - height + 1)));
  cut_window(sample, window);
}

}  // namespace

AugmentOptions parse_augment(std::string_view list) {
  AugmentOptions options;
  if (list == "none") return options;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view name = list.substr(0, comma);
    bool* const chosen = name == "crop"       ? &options.crop
                         : name == "zoom-out" ? &options.zoom_out
                         : name == "flip"     ? &options.flip
                         : name == "color"    ? &options.color
                         : name == "blur"     ? &options.blur
                         : name == "jpeg"     ? &options.jpeg
                                              : nullptr;
    if (!chosen)
      fail(ErrorKind::usage, "bad_value",
           "--augment: expected names of crop, zoom-out, flip, color, blur and jpeg, got \"", name, "\"");
    *chosen = true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return options;
}

void move_sample(DecodedSample& sample, std::span<const std::string> classes, const AugmentOptions& options,
                 Dice& dice) {
  if (spells_loc(sample)) return;
  const bool codes =
      std::ranges::any_of(sample.objects, [](const DecodedObject& object) { return object.seg.has_value(); });
  const bool finds = sample.task == SampleTask::detect || sample.task == SampleTask::segment;
  // All are thrown for, so that one more in the list changes the others only where it acts.
  const bool crop = dice.chance(0.5), zoom_out = dice.chance(0.5), flip = dice.chance(0.5);
  if (options.crop && crop && finds && !codes) crop_sample(sample, dice);
  if (options.zoom_out && zoom_out) zoom_out_sample(sample, dice);
  if (options.flip && flip && !codes && !is_reading(sample) && may_flip(sample, classes)) flip_sample(sample);
}

void cut_window(DecodedSample& sample, const CutWindow& window) {
  sample.picture = cut_picture(sample.picture, window);
  std::erase_if(sample.objects, [&](DecodedObject& object) { return !cut_object(object, window); });
}

void flip_sample(DecodedSample& sample) {
  Picture& picture = sample.picture;
  for (int y = 0; y < picture.height; ++y) {
    std::uint8_t* const row = picture.rgb.data() + std::size_t{3} * y * picture.width;
    for (int left = 0, right = picture.width - 1; left < right; ++left, --right)
      std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
  }
  for (DecodedObject& object : sample.objects) {
    object.box = {picture.width - object.box[2], object.box[1], picture.width - object.box[0], object.box[3]};
    object.label = flip_words(object.label);
    if (!object.mask) continue;
    Mask& mask = *object.mask;
    mask.x = picture.width - mask.x - mask.width;
    for (auto row = mask.inside.begin(); row != mask.inside.end(); row += mask.width)
      std::reverse(row, row + mask.width);
  }
  sample.prefix = flip_words(sample.prefix);
  for (std::string& answer : sample.answers) answer = flip_words(answer);
}

std::string flip_words(std::string_view text) {
  std::string flipped;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && is_word_letter(text[end])) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    const std::string other = word.empty() ? std::string() : other_side(word);
    flipped.append(other.empty() ? word : other);
    if (end < text.size()) flipped += text[end];
    begin = end + 1;
  }
  return flipped;
}

}  // namespace paligemma
