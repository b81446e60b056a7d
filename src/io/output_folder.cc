#include "io/output_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "io/file.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void write_failed(const std::string& shown, int error) {
  fail(ErrorKind::failure, "write_failed", "cannot write: ", shown, ": ", std::generic_category().message(error));
}

}  // namespace

NewFile::NewFile(const fs::path& path, std::string shown) : shown_(std::move(shown)) {
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) give_up();
}

NewFile::~NewFile() {
  if (file_ >= 0) ::close(file_);
}

void NewFile::write(std::span<const std::byte> bytes) {
  if (!write_all(file_, bytes)) give_up();
}

void NewFile::close() {
  if (::close(std::exchange(file_, -1)) != 0) give_up();
}

void NewFile::give_up() const { write_failed(shown_, errno); }

OutputFolder::OutputFolder(fs::path target) : target_(std::move(target)) {
  std::error_code error;
  fs::path parent = target_;
  if (!fs::is_directory(target_, error)) {
    parent = fs::absolute(target_).lexically_normal();
    parent = (parent.has_filename() ? parent : parent.parent_path()).parent_path();
  }
  fs::create_directories(parent, error);
  if (error) write_failed(target_.string(), error.value());
  int result = -1;
  for (int attempt = 0; attempt < 1000 && result != 0; ++attempt) {
    temporary_ = parent / join(".paligemma-", ::getpid(), '-', attempt, ".tmp");
    result = ::mkdir(temporary_.c_str(), 0777);
    if (result != 0 && errno != EEXIST) break;
  }
  if (result != 0) write_failed(target_.string(), errno);
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

fs::path OutputFolder::path(std::string_view name) const {
  const fs::path path = temporary_ / name;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) write_failed(shown(name), error.value());
  return path;
}

void OutputFolder::write(std::string_view name, std::span<const std::byte> bytes) const {
  NewFile file(path(name), shown(name));
  file.write(bytes);
  file.close();
}

void OutputFolder::write(std::string_view name, std::string_view text) const {
  write(name, std::as_bytes(std::span(text.data(), text.size())));
}

std::vector<std::string> OutputFolder::names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator it(temporary_, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error)) names.push_back(it->path().lexically_relative(temporary_).string());
  return names;
}

void OutputFolder::commit(bool overwrite) {
  std::error_code error;
  if (::rename(temporary_.c_str(), target_.c_str()) == 0) return;  // a new folder, or an empty one
  fs::create_directories(target_, error);
  for (const std::string& file : names()) {
    const fs::path to = target_ / file;
    fs::create_directories(to.parent_path(), error);
    if (move_file(temporary_ / file, to, overwrite)) continue;
    if (errno == EEXIST)
      fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": there is a file already. Try: --force");
    write_failed(to.string(), errno);
  }
}

}  // namespace paligemma
