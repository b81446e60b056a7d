#include "output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace paligemma {

void Output::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      const int reason = errno;
      fail(ErrorKind::failure, reason == EPIPE ? "closed_pipe" : "write_failed",
           "cannot write the result: stdout: ", std::strerror(reason));
    }
  }
}

void Output::json(const Json& value) {
  const bool array = format == Format::json && several;
  const std::string_view before = !array ? "" : array_open_ ? ",\n" : "[\n";
  array_open_ = array;
  write(join(before, dump_json(value), array ? "" : "\n"));
}

void Output::result(const Result& result, std::span<const std::string> mask_files) {
  if (format == Format::text) {
    write(result_text(result, {.with_path = several, .mask_files = mask_files}));
  } else {
    json(result_json(result, fields));
  }
}

void Output::failed_picture(std::string_view path, const Error& error) {
  if (format != Format::text) json(failed_picture_json(path, error));
}

void Output::close() {
  if (array_open_) write("\n]\n");
  array_open_ = false;
}

void Output::error(const Error& error) {
  if (format == Format::text) return;
  if (!array_open_) several = false;
  json(error_json(error));
}

}  // namespace paligemma
