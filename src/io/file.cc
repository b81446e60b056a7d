#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace paligemma {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) { return std::generic_category().message(error); }

// Closes on every way out.
struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// A regular file, open for reading.
class OpenFile {
 public:
  OpenFile(const fs::path& path, ErrorKind kind) : path_(path), kind_(kind) {
    // Without O_NONBLOCK the opening of a pipe would wait for its writer.
    file_.value = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file_.value < 0) {
      const bool missing = errno == ENOENT || errno == ENOTDIR;
      fail(kind, missing ? "file_not_found" : "file_unreadable", "cannot open: ", path.native(), ": ", reason(errno));
    }
    struct stat status{};
    if (::fstat(file_.value, &status) != 0) unreadable(reason(errno));
    if (!S_ISREG(status.st_mode))
      unreadable(join("expected a regular file, got ", S_ISDIR(status.st_mode) ? "a folder" : "something else"));
    size_ = static_cast<std::size_t>(status.st_size);
  }

  int descriptor() const { return file_.value; }
  std::size_t size() const { return size_; }
  [[noreturn]] void unreadable(const std::string& why) const {
    fail(kind_, "file_unreadable", "cannot read: ", path_.native(), ": ", why);
  }

 private:
  const fs::path& path_;
  ErrorKind kind_;
  Descriptor file_;
  std::size_t size_ = 0;
};

// A name without folders: what comes from a file (an index of shards) must not lead out of the folder.
bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

}  // namespace

FileBytes FileBytes::map(const fs::path& path, ErrorKind kind) {
  const OpenFile file(path, kind);
  FileBytes result;
  if (file.size() == 0) return result;
  void* start = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (start == MAP_FAILED && errno == ENOMEM)
    fail(ErrorKind::resource, "out_of_memory", "not enough memory: ", path.native(), ": ", file.size(),
         " bytes of address space");
  if (start == MAP_FAILED) file.unreadable(reason(errno));
  result.bytes_ = {static_cast<const std::byte*>(start), file.size()};
  result.mapped_ = true;
  return result;
}

FileBytes FileBytes::read(const fs::path& path, ErrorKind kind, std::size_t max_bytes) {
  const OpenFile file(path, kind);
  if (file.size() > max_bytes)
    fail(kind, "file_too_large", "cannot read: ", path.native(), ": expected at most ", max_bytes, " bytes, got ",
         file.size());
  FileBytes result;
  result.owned_ = std::make_unique_for_overwrite<std::byte[]>(file.size());
  std::size_t done = 0;
  while (done < file.size()) {
    const ssize_t got = ::read(file.descriptor(), result.owned_.get() + done, file.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) file.unreadable(reason(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  result.bytes_ = {result.owned_.get(), done};
  return result;
}

FileBytes FileBytes::borrow(std::span<const std::byte> bytes) {
  FileBytes result;
  result.bytes_ = bytes;
  return result;
}

FileBytes FileBytes::copy(std::span<const std::byte> bytes) {
  FileBytes result;
  result.owned_ = std::make_unique_for_overwrite<std::byte[]>(bytes.size());
  std::ranges::copy(bytes, result.owned_.get());
  result.bytes_ = {result.owned_.get(), bytes.size()};
  return result;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      owned_(std::move(other.owned_)),
      mapped_(std::exchange(other.mapped_, false)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(owned_, other.owned_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

FileBytes::~FileBytes() {
  if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void FileBytes::release(std::span<const std::byte> part) const noexcept {
  if (!mapped_) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

Folder Folder::on_disk(const fs::path& path, ErrorKind kind) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const bool there = fs::exists(path, error);
    fail(kind, there ? "not_a_folder" : "file_not_found", "cannot open: ", path.native(), ": expected a folder, got ",
         there ? "a file" : "nothing of that name");
  }
  return {.name = path.native(),
          .has =
              [path](std::string_view name) {
                std::error_code error;
                return plain_name(name) && fs::is_regular_file(path / name, error);
              },
          .open =
              [path, kind](std::string_view name) {
                if (!plain_name(name))
                  fail(kind, "file_not_found", "cannot open: ", path.native(), ": expected the name of a file, got \"",
                       name, '"');
                return FileBytes::map(path / name, kind);
              }};
}

Folder Folder::in_memory(std::span<const EmbeddedFile> files, const std::string& name, ErrorKind kind) {
  const auto find = [files](std::string_view file) {
    return std::find_if(files.begin(), files.end(), [&](const EmbeddedFile& each) { return each.name == file; });
  };
  return {.name = name,
          .has = [files, find](std::string_view file) { return find(file) != files.end(); },
          .open =
              [files, find, name, kind](std::string_view file) {
                const auto found = find(file);
                if (found == files.end()) fail(kind, "file_not_found", "cannot open: ", name, " has no file ", file);
                return FileBytes::borrow(found->bytes);
              }};
}

bool write_all(int file, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool move_file(const fs::path& from, const fs::path& to, bool overwrite) noexcept {
  if (overwrite) return ::rename(from.c_str(), to.c_str()) == 0;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  // Some file systems cannot refuse to replace.
  return errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0;
}

namespace {

// A new file beside `target`, removed again unless it is renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : target_(target) {
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    for (int attempt = 0; attempt < 1000 && file_.value < 0; ++attempt) {
      path_ = folder / join(".paligemma-", ::getpid(), '-', attempt, ".tmp");
      file_.value = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file_.value < 0 && errno != EEXIST) break;
    }
    if (file_.value < 0) give_up();
    created_ = true;
  }
  ~TemporaryFile() {
    if (created_) ::unlink(path_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    if (!write_all(file_.value, bytes)) give_up();
  }

  // False when there is a file under the name and it must stay.
  bool rename(bool overwrite) {
    // Some file systems (NFS, quotas) tell only here that the disk is full.
    if (::close(std::exchange(file_.value, -1)) != 0) give_up();
    if (!move_file(path_, target_, overwrite)) {
      if (!overwrite && errno == EEXIST) return false;
      give_up();
    }
    created_ = false;
    return true;
  }

 private:
  [[noreturn]] void give_up() const {
    fail(ErrorKind::failure, "write_failed", "cannot write: ", target_.native(), ": ", reason(errno));
  }

  fs::path target_, path_;
  Descriptor file_;
  bool created_ = false;
};

}  // namespace

void write_file(const fs::path& path, std::span<const std::byte> bytes, bool overwrite) {
  std::error_code error;
  const auto refuse = [&] {
    fail(ErrorKind::usage, "file_exists", "cannot write: ", path.native(), ": there is a file already");
  };
  if (!overwrite && fs::exists(fs::symlink_status(path, error))) refuse();
  // A link stays and its target is replaced; a device or a pipe must not be replaced by a file.
  fs::path target = fs::is_symlink(path, error) ? fs::canonical(path, error) : path;
  if (error || target.empty()) target = path;
  const auto status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status))
    fail(ErrorKind::failure, "write_failed", "cannot write: ", path.native(), ": expected a regular file, got ",
         fs::is_directory(status) ? "a folder" : "something else");
  TemporaryFile file(target);
  file.write(bytes);
  if (!file.rename(overwrite)) refuse();
}

}  // namespace paligemma
