#include "io/zip.h"

#include <zip.h>

#include <algorithm>
#include <utility>

namespace paligemma {
namespace {

// The densest that deflate can be: 258 bytes in two bits.
constexpr std::uint64_t kMaxDeflateRatio = 1032;
// Ways up to this length are read, not jumped: libzip's checksum is only complete without a jump.
constexpr std::uint64_t kShortWay = std::uint64_t{1} << 16;

struct Closer {
  void operator()(zip_t* zip) const { zip_discard(zip); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

class ZipFile::Archive {
 public:
  Archive(std::vector<FileBytes> pieces, std::string where, std::string code)
      : pieces_(std::move(pieces)), where_(std::move(where)), code_(std::move(code)) {
    for (const FileBytes& piece : pieces_) {
      file_bytes_ += piece.bytes().size();
      fragments_.push_back(
          {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(piece.bytes().data())), piece.bytes().size()});
    }
    if (file_bytes_ == 0) damaged("not a zip archive: the file is empty");  // libzip would take it for an empty one
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_fragment_create(fragments_.data(), fragments_.size(), 0, &error);
    zip_.reset(source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr);
    const std::string reason = zip_ ? "" : zip_error_strerror(&error);
    if (!zip_ && source) zip_source_free(source);
    zip_error_fini(&error);
    if (!zip_ && pieces_.front().text().starts_with("PK"))
      damaged("not a zip archive: it begins as one, but its end is missing or damaged. Try: download it again");
    if (!zip_) damaged("not a zip archive: ", reason);
    list();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, listed] : entries_) out.push_back(name);
    return out;
  }

  std::optional<ZipEntry> find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return {};
    const Listed& listed = found->second;
    if (listed.method != ZIP_CM_STORE && listed.method != ZIP_CM_DEFLATE)
      damaged("entry ", name, ": expected it stored or deflated, got method ", listed.method);
    const std::uint64_t ratio = listed.entry.stored ? 1 : kMaxDeflateRatio;
    if (listed.entry.packed > file_bytes_ || listed.entry.size / ratio > listed.entry.packed)
      damaged("entry ", name, ": claims ", listed.entry.size, " bytes out of ", listed.entry.packed, " in a file of ",
              file_bytes_);
    return listed.entry;
  }

  void read(const std::string& name, std::uint64_t offset, std::span<std::byte> to) {
    const ZipEntry& entry = entries_.find(name)->second.entry;
    Reading& reading = readings_[entry.index];
    seek(name, entry, reading, offset);
    take(name, reading, to);
    if (reading.position != entry.size) return;
    std::byte beyond;
    const zip_int64_t n = zip_fread(reading.file.get(), &beyond, 1);
    if (n != 0) damaged("entry ", name, ": ", n < 0 ? zip_file_strerror(reading.file.get()) : "longer than it says");
    readings_.erase(entry.index);
  }

  void close(const std::string& name) { readings_.erase(entries_.find(name)->second.entry.index); }

  // libzip does not say where an entry lies; its first and last bytes do. Few places of a file begin as an entry does;
  // one that was made of nothing else is not worth the search.
  std::optional<std::span<const std::byte>> view(const std::string& name) {
    constexpr std::size_t kTold = 16;
    constexpr int kPlaces = 64;
    const auto entry = find(name);
    if (!entry || !entry->stored || pieces_.size() != 1) return {};
    const auto bytes = pieces_.front().bytes();
    std::vector<std::byte> start(std::min(entry->size, kShortWay)), end(start.size());
    read(name, 0, start);
    read(name, entry->size - end.size(), end);
    const auto told = std::span(start).first(std::min(start.size(), kTold));
    auto at = bytes.begin();
    for (int place = 0; place < kPlaces; ++place, ++at) {
      at = std::search(at, bytes.end(), told.begin(), told.end());
      if (static_cast<std::uint64_t>(bytes.end() - at) < entry->size) return {};
      const auto found = std::span(at, at + static_cast<std::ptrdiff_t>(entry->size));
      if (std::ranges::equal(found.first(start.size()), start) && std::ranges::equal(found.last(end.size()), end))
        return found;
    }
    return {};
  }

  void release() const noexcept {
    for (const FileBytes& piece : pieces_) piece.release(piece.bytes());
  }

 private:
  struct Listed {
    ZipEntry entry;
    int method = 0;
  };

  // An entry that is being read: one each, so that entries may be read in turns.
  struct Reading {
    std::unique_ptr<zip_file_t, Closer> file;
    std::uint64_t position = 0;
  };

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, code_, "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

  void list() {
    const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    for (zip_uint64_t i = 0; i < count; ++i) {
      zip_stat_t stat;
      constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
      if (zip_stat_index(zip_.get(), i, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
        damaged("entry ", i, ": no size");
      const Listed listed{{i, stat.size, stat.comp_size, stat.comp_method == ZIP_CM_STORE}, stat.comp_method};
      if (!entries_.try_emplace(stat.name, listed).second) damaged("entry ", stat.name, " is there twice");
    }
  }

  void seek(const std::string& name, const ZipEntry& entry, Reading& reading, std::uint64_t position) {
    if (!reading.file || (position < reading.position && !entry.stored)) {
      reading = {std::unique_ptr<zip_file_t, Closer>(zip_fopen_index(zip_.get(), entry.index, 0)), 0};
      if (!reading.file) damaged("entry ", name, ": ", zip_strerror(zip_.get()));
    }
    const std::uint64_t way = position - reading.position;  // huge for a way back
    if (entry.stored && way > kShortWay) {
      if (zip_fseek(reading.file.get(), static_cast<zip_int64_t>(position), SEEK_SET) != 0)
        damaged("entry ", name, ": ", zip_file_strerror(reading.file.get()));
      reading.position = position;
      return;
    }
    std::vector<std::byte> skipped(std::min(way, kShortWay));
    while (reading.position < position)
      take(name, reading, std::span(skipped).first(std::min(skipped.size(), position - reading.position)));
  }

  void take(const std::string& name, Reading& reading, std::span<std::byte> to) {
    while (!to.empty()) {
      const zip_int64_t n = zip_fread(reading.file.get(), to.data(), to.size());
      if (n <= 0) damaged("entry ", name, ": ", n < 0 ? zip_file_strerror(reading.file.get()) : "it ends early");
      to = to.subspan(static_cast<std::size_t>(n));
      reading.position += static_cast<std::uint64_t>(n);
    }
  }

  std::vector<FileBytes> pieces_;
  std::vector<zip_buffer_fragment_t> fragments_;
  std::string where_, code_;
  std::uint64_t file_bytes_ = 0;
  std::unique_ptr<zip_t, Closer> zip_;
  std::map<std::string, Listed> entries_;
  std::map<std::uint64_t, Reading> readings_;  // by index; closed before the archive is
};

ZipFile::ZipFile(std::vector<FileBytes> pieces, std::string where, std::string code)
    : archive_(std::make_unique<Archive>(std::move(pieces), std::move(where), std::move(code))) {}
ZipFile::ZipFile(ZipFile&&) noexcept = default;
ZipFile& ZipFile::operator=(ZipFile&&) noexcept = default;
ZipFile::~ZipFile() = default;

std::vector<std::string> ZipFile::names() const { return archive_->names(); }
std::optional<ZipEntry> ZipFile::find(const std::string& name) const { return archive_->find(name); }
void ZipFile::read(const std::string& name, std::uint64_t offset, std::span<std::byte> to) {
  archive_->read(name, offset, to);
}
void ZipFile::close(const std::string& name) { archive_->close(name); }
std::optional<std::span<const std::byte>> ZipFile::view(const std::string& name) { return archive_->view(name); }
void ZipFile::release() const noexcept { archive_->release(); }

}  // namespace paligemma
