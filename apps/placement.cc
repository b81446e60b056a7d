#include "placement.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "image/encode.h"
#include "io/file.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

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

// What can be known before hours of work are lost.
void check_writable(const fs::path& folder) {
  if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) {
    fail(ErrorKind::failure, "write_failed", "write into the folder: ", folder.string(), ": ", std::strerror(errno));
  }
}

// Picture and masks of one input share this.
std::string stem(const std::string& input) { return input == "-" ? "stdin" : fs::path(input).stem().string(); }

std::vector<std::uint8_t> whole_picture(const Mask& mask, int width, int height) {
  std::vector<std::uint8_t> gray(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const std::size_t from = static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(x);
      const std::size_t to = static_cast<std::size_t>(mask.y + y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(mask.x + x);
      gray[to] = mask.inside[from] != 0 ? 255 : 0;
    }
  }
  return gray;
}

}  // namespace

Placement::Placement(const std::string& output, std::span<const std::string> inputs, bool masks, bool force) : force_(force) {
  if (output.empty()) return;
  const fs::path path(output);
  std::error_code ignored;
  if (fs::is_directory(path, ignored) || !path.has_filename() || !path.has_extension()) {
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
  check_writable(path.parent_path());
  files_.push_back(path);
}
