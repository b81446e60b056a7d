#include "inputs.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/error.h"
#include "image/png_source.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

bool is_picture_name(const fs::path& path) {
  static constexpr std::array<std::string_view, 8> kSuffixes = {".png", ".jpg", ".jpeg", ".webp",
                                                                ".gif", ".bmp", ".ppm",  ".pnm"};
  std::string suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::status(path, ignored).type() != fs::file_type::not_found;
}

void add_folder(const std::string& folder, std::vector<std::string>& paths) {
  std::error_code error;
  std::vector<std::string> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const bool hidden = it->path().filename().native().starts_with('.');
    if (!hidden && is_picture_name(it->path()) && !it->is_directory(ignored)) found.push_back(it->path().string());
  }
  if (error) fail(ErrorKind::usage, "folder_unreadable", "cannot read the folder: ", folder, ": ", error.message());
  if (found.empty()) {
    fail(ErrorKind::usage, "no_pictures", "cannot read the folder: ", folder,
         ": expected pictures (.png .jpg .webp .gif .bmp .ppm), got none");
  }
  std::sort(found.begin(), found.end());
  paths.insert(paths.end(), found.begin(), found.end());
}

void add_list(const std::string& list, std::vector<std::string>& paths) {
  const std::vector<std::byte> bytes = read_bytes(list, "cannot read the list of pictures", ErrorKind::usage);
  const std::size_t before = paths.size();
  for_each_line(bytes, [&](int number, std::string_view line) {
    if (line.find('\0') != std::string_view::npos) {
      fail(ErrorKind::usage, "list", "cannot read the list of pictures: ", list, " line ", number,
           ": expected a path, got a zero byte");
    }
    paths.push_back(path_beside(list, line));
  });
  if (paths.size() == before) {
    fail(ErrorKind::usage, "no_pictures", "cannot read the list of pictures: ", list,
         ": expected one path a line, got none");
  }
}

void add_file_or_folder(const std::string& path, std::vector<std::string>& paths) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    add_folder(path, paths);
  } else {
    paths.push_back(path);
  }
}

// False when nothing matches.
bool add_matches(const std::string& pattern, std::vector<std::string>& paths) {
  glob_t matches{};
  const int status = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches);
  std::vector<std::string> found;
  if (status == 0) found.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  globfree(&matches);
  std::sort(found.begin(), found.end());
  for (const std::string& path : found) add_file_or_folder(path, paths);
  return !found.empty();
}

// What can be read only once.
bool is_stream(const std::string& path) {
  std::error_code ignored;
  return path == "-" || fs::status(path, ignored).type() == fs::file_type::fifo;
}

}  // namespace

std::vector<std::string> expand_inputs(std::span<const std::string> words) {
  std::vector<std::string> paths;
  for (const std::string& word : words) {
    if (word == "-") {
      if (std::find(paths.begin(), paths.end(), word) != paths.end()) {
        fail(ErrorKind::usage, "usage", "cannot read the pictures: - (stdin): expected it once, got it twice");
      }
      paths.push_back(word);
    } else if (is_there(word)) {
      add_file_or_folder(word, paths);
    } else if (word.starts_with('@')) {
      add_list(word.substr(1), paths);
    } else if (word.find_first_of("*?[") == std::string::npos || !add_matches(word, paths)) {
      fail(ErrorKind::usage, "file_not_found", "cannot find the picture: ", word,
           ": expected a file, folder, pattern or @list, ", "got nothing of that name");
    }
  }
  return paths;
}

std::vector<std::byte> read_bytes(const std::string& path, std::string_view what, ErrorKind kind) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  struct Descriptor {
    int number;
    ~Descriptor() {
      if (number > STDIN_FILENO) close(number);
    }
  };
  const Descriptor file{path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status{};
  if (file.number < 0 || fstat(file.number, &status) != 0) {
    fail(kind, errno == ENOENT ? "file_not_found" : "file_unreadable", what, ": ", path, ": ", std::strerror(errno));
  }
  const auto too_long = [&] { fail(kind, "file_unreadable", what, ": ", path, ": expected at most 1 GiB, got more"); };
  const bool regular = S_ISREG(status.st_mode);
  if (regular && static_cast<std::size_t>(status.st_size) > kMostBytes) too_long();
  // One byte more than a regular file has, so that its end is seen without growing.
  std::vector<std::byte> bytes(regular ? static_cast<std::size_t>(status.st_size) + 1 : std::size_t{1} << 16);
  std::size_t size = 0;
  for (;;) {
    const ssize_t count = read(file.number, bytes.data() + size, bytes.size() - size);
    if (count < 0) fail(kind, "file_unreadable", what, ": ", path, ": ", std::strerror(errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size > kMostBytes) too_long();
    if (size == bytes.size()) bytes.resize(2 * size);
  }
  bytes.resize(size);
  return bytes;
}

std::string path_beside(const std::string& file, std::string_view name) {
  const fs::path folder = fs::path(file).parent_path();
  return folder.empty() && name == "-" ? "./-" : (folder / name).string();
}

void for_each_line(std::span<const std::byte> bytes, const std::function<void(int, std::string_view)>& take) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos) take(number, line);
  }
}

InputPicture read_input(const std::string& path, const DecodeOptions& options) {
  if (!is_stream(path)) {
    InputPicture input{.picture = read_picture(path, options)};
    std::array<char, kSourceBytes> begin{};
    std::ifstream file(path, std::ios::binary);
    file.read(begin.data(), begin.size());
    input.source = source_of(std::as_bytes(std::span(begin)).first(static_cast<std::size_t>(file.gcount())));
    return input;
  }
  const std::vector<std::byte> bytes = read_bytes(path, "cannot read the picture", ErrorKind::input);
  try {
    return {decode_picture(bytes, options), source_of(bytes)};
  } catch (const Error& error) {
    fail(error.kind(), error.code(), error.what(), ", from ", path == "-" ? "stdin" : path);
  }
}

SharedPicture PictureReader::read(const std::string& path) {
  Known& known = known_[path];
  if (!known.picture && !known.error) {
    try {
      InputPicture input = read_input(path, options_);
      known.picture = std::move(input.picture);
      if (std::ranges::find(sources_, input.source, &Source::second) == sources_.end())
        sources_.emplace_back(path, std::move(input.source));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      known.error = error;
    }
  }
  const Known given = known;
  if (--known.wanted <= 0 && !is_stream(path)) known_.erase(path);
  make_room();
  if (given.error) throw Error(*given.error);
  return *given.picture;
}

std::string PictureReader::first_not_of(std::string_view source) const {
  const auto found = std::ranges::find_if(sources_, [&](const Source& one) { return one.second != source; });
  return found == sources_.end() ? std::string() : found->first;
}

void PictureReader::make_room() {
  std::int64_t pixels = 0;
  for (const auto& [path, known] : known_)
    if (known.picture) pixels += pixel_count(*known.picture);
  if (pixels <= kMostPixels) return;
  for (auto& [path, known] : known_)
    if (!is_stream(path)) known.picture.reset();
}

std::int64_t pixel_count(const Picture& picture) { return static_cast<std::int64_t>(picture.width) * picture.height; }

}  // namespace paligemma
