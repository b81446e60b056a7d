#include "folders.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace paligemma {

namespace fs = std::filesystem;

bool names_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) || !path.has_filename() || !path.has_extension();
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (error)
    fail(ErrorKind::failure, "write_failed", "cannot make the folder: ", folder.string(), ": ", error.message());
  if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
    fail(ErrorKind::failure, "write_failed", "cannot write into the folder: ", folder.string(), ": ",
         std::strerror(errno));
}

void check_free(const fs::path& file) {
  std::error_code ignored;
  if (fs::symlink_status(file, ignored).type() == fs::file_type::not_found) return;
  fail(ErrorKind::usage, "file_exists", "cannot write into the folder: ", file.string(),
       ": expected no such file, got one. Try: --force");
}

std::string picture_stem(const std::string& input) { return input == "-" ? "stdin" : fs::path(input).stem().string(); }

}  // namespace paligemma
