#include "io/npz.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "io/npy.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kMaxNpyHeader = std::uint64_t{1} << 16;
constexpr std::string_view kSuffix = ".npy";

}  // namespace

template <class... Parts>
void NpzFile::damaged(const std::string& name, Parts&&... parts) const {
  fail(ErrorKind::model, "npz", "cannot read: ", where_, ": array ", name, ": ", std::forward<Parts>(parts)...);
}

NpzFile::NpzFile(std::vector<FileBytes> pieces, std::string where)
    : where_(std::move(where)), zip_(std::move(pieces), where_, "npz") {
  for (const std::string& file_name : zip_.names()) {
    if (!file_name.ends_with(kSuffix)) continue;
    const std::string name = file_name.substr(0, file_name.size() - kSuffix.size());
    entries_.emplace(name, parse(name, file_name, zip_.find(file_name)->size));
    zip_.close(file_name);
  }
}

NpzEntry NpzFile::parse(const std::string& name, const std::string& file_name, std::uint64_t size) {
  std::string text(std::min<std::uint64_t>(size, kNpyPreamble), '\0');
  zip_.read(file_name, 0, std::as_writable_bytes(std::span(text)));
  const std::size_t header_size = npy_header_size(text);
  if (header_size < text.size() || header_size > std::min(size, kMaxNpyHeader))
    damaged(name, "expected an .npy header");
  text.resize(header_size);
  zip_.read(file_name, 0, std::as_writable_bytes(std::span(text)));
  auto header = parse_npy_header(text);
  if (!header) damaged(name, "expected an .npy header");
  NpzEntry entry{.descr = std::move(header->descr),
                 .dtype = {},
                 .shape = std::move(header->shape),
                 .bytes = size - header_size,
                 .data_offset = header_size};
  entry.dtype = npy_dtype(entry.descr);
  if (!entry.dtype) return entry;
  if (header->fortran_order) damaged(name, "expected C order, got Fortran order");
  std::uint64_t bytes = byte_size(*entry.dtype);
  for (const std::int64_t n : entry.shape)
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(n), &bytes))
      damaged(name, "the product of its shape is too large");
  if (bytes != entry.bytes) damaged(name, "expected ", bytes, " bytes for its shape, got ", entry.bytes);
  return entry;
}

void NpzFile::read(std::string_view name, std::uint64_t offset, std::span<std::byte> to) {
  zip_.read(std::string(name) + std::string(kSuffix), entries_.find(name)->second.data_offset + offset, to);
}

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
