// A run's numbers as TensorBoard reads them: records of a TFRecord file, each an Event of its protocol, of which these
// fields are written:
//
//     record   length u64, crc, bytes, crc; crc: the CRC-32C of what stands before it, rotated by 15 and moved
//     Event    wall_time = 1 (double), step = 2, one of file_version = 3, summary = 5, session_log = 7
//     value    of a summary: tag = 1, and simple_value = 2 (float) or image = 4 (height, width, colours, file)
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "io/append_file.h"

namespace paligemma {

class EventFile {
 public:
  // Makes a file in `folder`, which is made too. Numbers that earlier files of the folder have for steps from
  // `first_step` on are no longer shown. `time` is in seconds since 1970, of each call. Everything throws
  // Error{failure, "write_failed"}.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step, double time);

  void add_scalar(std::string_view tag, std::int64_t step, double value, double time);
  // `file` is a PNG or JPEG of that size.
  void add_picture(std::string_view tag, std::int64_t step, std::span<const std::byte> file, int width, int height,
                   double time);

  const std::filesystem::path& path() const { return path_; }

 private:
  void add_event(std::int64_t step, double time, int field, std::string_view content);

  std::filesystem::path path_;
  AppendFile file_;
};

// The CRC-32C (Castagnoli) of bytes.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace paligemma
