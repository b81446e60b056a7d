// A file that grows at its end while others may read it. Each piece is with the system when append() returns: a process
// that is killed loses nothing, and at most the last piece is torn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace paligemma {

class AppendFile {
 public:
  // Opens the file, or makes it, and cuts off what lies behind its first `keep` bytes. Everything throws Error{failure,
  // "write_failed"}.
  AppendFile(std::filesystem::path path, std::uint64_t keep);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);

 private:
  [[noreturn]] void give_up() const;

  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace paligemma
