// Files as bytes, and folders that may lie on disk or in the program itself.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/embedded.h"
#include "base/error.h"

namespace paligemma {

// The bytes of a file: mapped read-only from disk, in memory of its own, or borrowed from memory that outlives this.
// Move-only.
class FileBytes {
 public:
  FileBytes() = default;
  // Maps `path`. Throws Error{kind, "file_not_found" | "file_unreadable"} that names the path, or Error{resource,
  // "out_of_memory"}. An empty file is allowed.
  static FileBytes map(const std::filesystem::path& path, ErrorKind kind);
  // The same for a file that others may change meanwhile: a mapped one that is cut short ends the process. A file of
  // more than `max_bytes` is Error{kind, "file_too_large"}.
  static FileBytes read(const std::filesystem::path& path, ErrorKind kind, std::size_t max_bytes);
  static FileBytes borrow(std::span<const std::byte> bytes);
  static FileBytes copy(std::span<const std::byte> bytes);

  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;
  ~FileBytes();

  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  // Tells the system that the pages wholly inside `part` will not be needed again. Harmless for borrowed bytes.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  std::span<const std::byte> bytes_;
  std::unique_ptr<std::byte[]> owned_;
  bool mapped_ = false;
};

// A folder of files by name: a directory, or files linked into the program.
struct Folder {
  std::string name;  // for messages: the directory's path, or "the embedded model"
  std::function<bool(std::string_view)> has;
  std::function<FileBytes(std::string_view)> open;  // throws Error{kind} when the file is not there

  static Folder on_disk(const std::filesystem::path& path, ErrorKind kind);  // throws when it is no directory
  static Folder in_memory(std::span<const EmbeddedFile> files, const std::string& name, ErrorKind kind);
};

// For files that are made under another name first. Both leave errno when they fail.
//
// Writes all of `bytes` to an open file.
bool write_all(int file, std::span<const std::byte> bytes) noexcept;
// With `overwrite` false a file that is there stays: errno is EEXIST.
bool move_file(const std::filesystem::path& from, const std::filesystem::path& to, bool overwrite) noexcept;

// Writes `bytes` to `path` through a temporary file in the same directory that is renamed when it is complete, so that
// no half-written file is ever seen under the name. Throws Error{failure, "write_failed"}; with `overwrite` false and
// the file there, Error{usage, "file_exists"}.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes, bool overwrite);

}  // namespace paligemma
