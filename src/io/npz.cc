#include "io/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "io/npy.h"

namespace paligemma {
namespace {

// The densest that deflate can be: 258 bytes in two bits.
constexpr std::uint64_t kMaxDeflateRatio = 1032;
constexpr std::size_t kMaxHeader = std::size_t{1} << 16;

struct Closer {
  void operator()(zip_t* zip) const { zip_discard(zip); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

class NpzFile::Archive {
 public:
  Archive(std::vector<FileBytes> pieces, std::string where) : pieces_(std::move(pieces)), where_(std::move(where)) {
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
    if (!zip_) damaged("not a zip archive: ", reason);
    list();
  }

  const std::map<std::string, NpzEntry, std::less<>>& entries() const { return entries_; }

  void read(std::string_view name, std::uint64_t offset, std::span<std::byte> to) {
    const NpzEntry& entry = entries_.find(name)->second;
    Reading& reading = readings_[entry.index];
    const std::uint64_t begin = entry.data_offset + offset;
    seek(name, entry, reading, begin);
    take(name, reading, to);
    if (reading.position != entry.data_offset + entry.bytes) return;
    std::byte beyond;
    const zip_int64_t n = zip_fread(reading.file.get(), &beyond, 1);
    if (n != 0) damaged("array ", name, ": ", n < 0 ? zip_file_strerror(reading.file.get()) : "longer than it says");
    readings_.erase(entry.index);
  }

  void release() const noexcept {
    for (const FileBytes& piece : pieces_) piece.release(piece.bytes());
  }

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, "npz", "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

 private:
  // An entry that is being read: one each, so that arrays may be read in turns.
  struct Reading {
    std::unique_ptr<zip_file_t, Closer> file;
    std::uint64_t position = 0;
  };

  void list() {
    const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    for (zip_uint64_t i = 0; i < count; ++i) {
      zip_stat_t stat;
      constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
      if (zip_stat_index(zip_.get(), i, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
        damaged("entry ", i, ": no size");
      std::string name = stat.name;
      if (!name.ends_with(".npy")) continue;
      name.resize(name.size() - 4);
      check_size(name, stat);
      NpzEntry entry = parse(name, i, stat.size);
      entry.stored = stat.comp_method == ZIP_CM_STORE;
      if (!entries_.try_emplace(name, std::move(entry)).second) damaged("array ", name, " is there twice");
    }
  }

  // Before anything of that size is allocated.
  void check_size(const std::string& name, const zip_stat_t& stat) const {
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
      damaged("array ", name, ": expected it stored or deflated, got method ", stat.comp_method);
    const std::uint64_t ratio = stat.comp_method == ZIP_CM_STORE ? 1 : kMaxDeflateRatio;
    if (stat.comp_size > file_bytes_ || stat.size / ratio > stat.comp_size)
      damaged("array ", name, ": claims ", stat.size, " bytes out of ", stat.comp_size, " in a file of ", file_bytes_);
  }

  NpzEntry parse(const std::string& name, zip_uint64_t index, std::uint64_t size) {
    Reading reading{open(name, index)};
    std::string text(std::min<std::uint64_t>(size, kNpyPreamble), '\0');
    take(name, reading, std::as_writable_bytes(std::span(text)));
    const std::size_t header_size = npy_header_size(text), taken = text.size();
    if (header_size < taken || header_size > std::min<std::uint64_t>(size, kMaxHeader))
      damaged("array ", name, ": expected an .npy header");
    text.resize(header_size);
    take(name, reading, std::as_writable_bytes(std::span(text)).subspan(taken));
    auto header = parse_npy_header(text);
    if (!header) damaged("array ", name, ": expected an .npy header");
    NpzEntry entry{.descr = std::move(header->descr),
                   .shape = std::move(header->shape),
                   .bytes = size - header_size,
                   .index = index,
                   .data_offset = header_size};
    entry.dtype = npy_dtype(entry.descr);
    if (entry.dtype) check_shape(name, entry, header->fortran_order);
    return entry;
  }

  void check_shape(const std::string& name, const NpzEntry& entry, bool fortran_order) const {
    if (fortran_order) damaged("array ", name, ": expected C order, got Fortran order");
    std::uint64_t bytes = byte_size(*entry.dtype);
    for (const std::int64_t n : entry.shape)
      if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(n), &bytes))
        damaged("array ", name, ": the product of its shape is too large");
    if (bytes != entry.bytes) damaged("array ", name, ": expected ", bytes, " bytes for its shape, got ", entry.bytes);
  }

  std::unique_ptr<zip_file_t, Closer> open(std::string_view name, std::uint64_t index) {
    std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(zip_.get(), index, 0));
    if (!file) damaged("array ", name, ": ", zip_strerror(zip_.get()));
    return file;
  }

  void seek(std::string_view name, const NpzEntry& entry, Reading& reading, std::uint64_t position) {
    if (!reading.file || (position < reading.position && !entry.stored)) reading = {open(name, entry.index)};
    // Short ways are read: libzip's checksum is only complete without a jump.
    const std::uint64_t skip = position - reading.position;  // huge for a way back
    if (entry.stored && skip > kMaxHeader) {
      if (zip_fseek(reading.file.get(), static_cast<zip_int64_t>(position), SEEK_SET) != 0)
        damaged("array ", name, ": ", zip_file_strerror(reading.file.get()));
      reading.position = position;
      return;
    }
    std::vector<std::byte> skipped(std::min<std::uint64_t>(skip, kMaxHeader));
    while (reading.position < position)
      take(name, reading, std::span(skipped).first(std::min(skipped.size(), position - reading.position)));
  }

  void take(std::string_view name, Reading& reading, std::span<std::byte> to) {
    while (!to.empty()) {
      const zip_int64_t n = zip_fread(reading.file.get(), to.data(), to.size());
      if (n <= 0) damaged("array ", name, ": ", n < 0 ? zip_file_strerror(reading.file.get()) : "it ends early");
      to = to.subspan(static_cast<std::size_t>(n));
      reading.position += static_cast<std::uint64_t>(n);
    }
  }

  std::vector<FileBytes> pieces_;
  std::vector<zip_buffer_fragment_t> fragments_;
  std::string where_;
  std::uint64_t file_bytes_ = 0;
  std::unique_ptr<zip_t, Closer> zip_;
  std::map<std::string, NpzEntry, std::less<>> entries_;
  std::map<std::uint64_t, Reading> readings_;  // by index; closed before the archive is
};

NpzFile::NpzFile(std::vector<FileBytes> pieces, std::string where)
    : archive_(std::make_unique<Archive>(std::move(pieces), std::move(where))) {}
NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile& NpzFile::operator=(NpzFile&&) noexcept = default;
NpzFile::~NpzFile() = default;

const std::map<std::string, NpzEntry, std::less<>>& NpzFile::entries() const { return archive_->entries(); }
void NpzFile::read(std::string_view name, std::uint64_t offset, std::span<std::byte> to) {
  archive_->read(name, offset, to);
}
void NpzFile::release() const noexcept { archive_->release(); }

std::map<std::string, NpzArray, std::less<>> read_npz(const FileBytes& file, std::string_view where,
                                                      std::uint64_t max_bytes) {
  std::vector<FileBytes> pieces;
  pieces.push_back(FileBytes::borrow(file.bytes()));
  NpzFile npz(std::move(pieces), std::string(where));
  std::map<std::string, NpzArray, std::less<>> result;
  for (const auto& [name, entry] : npz.entries()) {
    if (!entry.dtype)
      fail(ErrorKind::model, "npz", "cannot read: ", where, ": array ", name,
           ": expected the type <f4, <f2 or |V2, got ", entry.descr);
    if (entry.bytes > max_bytes)
      fail(ErrorKind::model, "npz", "cannot read: ", where, ": array ", name, ": more data than the limit");
    max_bytes -= entry.bytes;
    NpzArray& array = result[name];
    array.storage.resize(entry.bytes);
    npz.read(name, 0, array.storage);
    array.tensor = {.dtype = *entry.dtype, .shape = entry.shape, .bytes = array.storage};
  }
  return result;
}

}  // namespace paligemma
