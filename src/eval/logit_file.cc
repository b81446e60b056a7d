#include "eval/logit_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.h"
#include "io/file.h"

namespace paligemma {
namespace {

std::string temporary_folder() {
  const char* set = std::getenv("TMPDIR");
  return set != nullptr && *set != '\0' ? set : "/tmp";
}

[[noreturn]] void give_up() {
  const int reason = errno;
  fail(ErrorKind::failure, "write_failed", "cannot keep the logits of the first model: ", temporary_folder(), ": ",
       std::strerror(reason), ". Try: TMPDIR=FOLDER, or fewer pictures");
}

}  // namespace

LogitFile::LogitFile(std::size_t width) : row_(width) {
  std::string name = temporary_folder() + "/paligemma-logits-XXXXXX";
  file_ = mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) give_up();
  unlink(name.c_str());
}

LogitFile::~LogitFile() { close(file_); }

std::size_t LogitFile::append(std::span<const float> row) {
  if (!write_all(file_, std::as_bytes(row.first(row_.size())))) give_up();
  return rows_++;
}

std::span<const float> LogitFile::read(std::size_t row) {
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(row_));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        pread(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(row * bytes.size() + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      fail(ErrorKind::failure, "read_failed", "cannot read back the logits of the first model: ", temporary_folder(),
           ": ", count < 0 ? std::strerror(errno) : "expected more, got the end");
    done += static_cast<std::size_t>(count);
  }
  return row_;
}

}  // namespace paligemma
