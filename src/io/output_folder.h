// Files that appear together: written in a temporary folder, put in place when all are complete.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/streamed_array.h"

namespace paligemma {

// A new file that is written front to back. Throws Error{failure, "write_failed"} that names `shown`.
class NewFile {
 public:
  NewFile(const std::filesystem::path& path, std::string shown);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const std::byte> bytes);
  // Some file systems say only here that the disk is full.
  void close();

 private:
  [[noreturn]] void give_up() const;

  int file_ = -1;
  std::string shown_;
};

class OutputFolder {
 public:
  // Files for the folder `target`, which is made if it is not there, and so are the folders that it lies in. The
  // temporary folder lies on the same file system.
  explicit OutputFolder(std::filesystem::path target);
  // Removes what was not committed.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Where the file `name` ("config.json", "assets/tokenizer/vocabulary.spm") is to be written for now.
  std::filesystem::path path(std::string_view name) const;
  // How messages name it.
  std::string shown(std::string_view name) const { return (target_ / name).string(); }

  void write(std::string_view name, std::span<const std::byte> bytes) const;
  void write(std::string_view name, std::string_view text) const;

  // Names of the files that were written.
  std::vector<std::string> names() const;

  // Puts all files in place. Throws Error{usage, "file_exists"} when one is there and `overwrite` is false, and
  // Error{failure, "write_failed"}.
  void commit(bool overwrite);

 private:
  std::filesystem::path target_, temporary_;
};

}  // namespace paligemma
