#include "placement.h"

#include <algorithm>
#include <cctype>
#include <system_error>

#include "base/error.h"
#include "folders.h"
#include "image/encode.h"
#include "io/file.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMaskSuffix = ".mask-";

// "png", "jpg", "webp" or "svg", or empty.
std::string picture_format(const fs::path& file) {
  std::string suffix = file.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  if (suffix == ".jpeg") return "jpg";
  for (const char* format : {"png", "jpg", "webp", "svg"}) {
    if (suffix == join(".", format)) return format;
  }
  return {};
}

std::vector<std::uint8_t> whole_picture(const Mask& mask, int width, int height) {
  std::vector<std::uint8_t> gray(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const std::size_t from =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(x);
      const std::size_t to =
          static_cast<std::size_t>(mask.y + y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(mask.x + x);
      gray[to] = mask.inside[from] != 0 ? 255 : 0;
    }
  }
  return gray;
}

}  // namespace

Placement::Placement(const std::string& output, std::span<const std::string> inputs, bool masks, bool force)
    : force_(force) {
  if (output.empty()) return;
  require_drawing();
  const fs::path path(output);
  if (names_folder(path)) {
    folder_ = path;
    plan_folder(inputs, masks);
    return;
  }
  if (picture_format(path).empty()) {
    fail(ErrorKind::usage, "bad_value", "-o ", output, ": expected .png, .jpg, .webp or .svg, got ",
         path.extension().string(), ". Try: a folder's name with a / at its end");
  }
  if (inputs.size() > 1) {
    fail(ErrorKind::usage, "bad_value", "-o ", output, ": expected a folder for ", inputs.size(),
         " pictures, got a file's name. Try: a folder's name with a / at its end");
  }
  make_folder(path.parent_path());
  files_.push_back(path);
}

void Placement::plan_folder(std::span<const std::string> inputs, bool masks) {
  make_folder(folder_);
  std::error_code error;
  std::set<std::string> there;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    there.insert(it->path().filename().string());
  }
  for (const std::string& input : inputs) {
    const std::string name = claim(picture_stem(input), ".png");
    files_.push_back(folder_ / name);
    const std::string mask_prefix = join(files_.back().stem().string(), kMaskSuffix);
    const auto mask = masks ? there.lower_bound(mask_prefix) : there.end();
    const bool mask_there = mask != there.end() && mask->starts_with(mask_prefix);
    if (!force_ && (there.contains(name) || mask_there)) check_free(folder_ / (mask_there ? *mask : name));
  }
}

std::string Placement::claim(const std::string& stem, const std::string& suffix) {
  std::string name = stem + suffix;
  for (int number = 2; !taken_.insert(name).second; ++number) name = join(stem, "-", number, suffix);
  return name;
}

void Placement::write_drawing(std::size_t index, const Picture& picture, const Result& result) const {
  const fs::path& file = files_[index];
  const bool named = folder_.empty();  // what -o names is overwritten
  write_file(file, draw(picture, result, picture_format(file)), named || force_);
}

std::vector<std::string> Placement::write_masks(std::size_t index, const Result& result) {
  std::vector<std::string> written;
  if (folder_.empty()) return written;
  for (std::size_t i = 0; i < result.objects.size(); ++i) {
    written.emplace_back();
    if (!result.objects[i].mask) continue;
    const fs::path file = folder_ / claim(join(files_[index].stem().string(), kMaskSuffix, i + 1), ".png");
    const std::vector<std::uint8_t> gray = whole_picture(*result.objects[i].mask, result.width, result.height);
    write_file(file, encode_gray_png(gray, result.width, result.height), force_);
    written.back() = file.string();
  }
  return written;
}

}  // namespace paligemma
