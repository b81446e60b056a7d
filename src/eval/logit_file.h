// Rows of logits that wait on disk, so that two models need not be in memory at the same time: a row of the published
// models takes 1 MiB.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace paligemma {

// A file without a name in the folder for temporary files ($TMPDIR, else /tmp).
class LogitFile {
 public:
  // For rows of `width`. Both this and append() throw Error{failure, "write_failed"}.
  explicit LogitFile(std::size_t width);
  ~LogitFile();
  LogitFile(const LogitFile&) = delete;
  LogitFile& operator=(const LogitFile&) = delete;

  // The row's number.
  std::size_t append(std::span<const float> row);

  // Valid until the next call. Throws Error{failure, "read_failed"}.
  std::span<const float> read(std::size_t row);

 private:
  int file_ = -1;
  std::size_t rows_ = 0;
  std::vector<float> row_;
};

}  // namespace paligemma
