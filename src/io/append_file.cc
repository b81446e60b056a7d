#include "io/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "io/file.h"

namespace paligemma {

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t keep) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) give_up();
  const off_t size = ::lseek(file_, 0, SEEK_END);
  if (size < 0 || (static_cast<std::uint64_t>(size) > keep && ::ftruncate(file_, static_cast<off_t>(keep)) != 0)) {
    const int error = errno;
    ::close(std::exchange(file_, -1));
    errno = error;
    give_up();
  }
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

void AppendFile::append(std::span<const std::byte> bytes) {
  if (!write_all(file_, bytes)) give_up();
}

void AppendFile::append(std::string_view text) { append(std::as_bytes(std::span(text.data(), text.size()))); }

void AppendFile::give_up() const {
  fail(ErrorKind::failure, "write_failed", "cannot write: ", path_.string(), ": ",
       std::generic_category().message(errno));
}

}  // namespace paligemma
