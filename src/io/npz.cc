#include "io/npz.h"

#include <zip.h>

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace paligemma {
namespace {

// The densest that deflate can be: 258 bytes in two bits.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

// What an .npy file says of itself.
struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t data_offset = 0;
};

// Reads the header, a dictionary in Python's notation: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
class NpyParser {
 public:
  static std::optional<NpyHeader> parse(std::string_view file) {
    if (!file.starts_with("\x93NUMPY") || file.size() < 10) return {};
    const int version = static_cast<unsigned char>(file[6]);
    if (version < 1 || version > 3) return {};
    const std::size_t digits = version == 1 ? 2 : 4, start = 8 + digits;
    if (file.size() < start) return {};
    std::size_t length = 0;
    for (std::size_t i = 0; i < digits; ++i)
      length |= static_cast<std::size_t>(static_cast<unsigned char>(file[8 + i])) << 8 * i;
    if (length > file.size() - start) return {};
    NpyParser parser(file.substr(start, length));
    if (!parser.dictionary()) return {};
    parser.header_.data_offset = start + length;
    return std::move(parser.header_);
  }

 private:
  explicit NpyParser(std::string_view text) : rest_(text) {}

  bool dictionary() {
    unsigned seen = 0;
    if (!take("{")) return false;
    while (!take("}")) {
      const auto key = quoted();
      if (!key || !take(":")) return false;
      unsigned bit = 0;
      if (*key == "descr") {
        const auto descr = quoted();
        if (!descr) return false;
        header_.descr = *descr;
        bit = 1;
      } else if (*key == "fortran_order") {
        header_.fortran_order = take("True");
        if (!header_.fortran_order && !take("False")) return false;
        bit = 2;
      } else if (*key == "shape") {
        if (!tuple()) return false;
        bit = 4;
      }
      if (bit == 0 || (seen & bit) != 0) return false;
      seen |= bit;
      if (!take(",") && !rest_.starts_with('}')) return false;
    }
    skip_space();
    return seen == 7 && rest_.empty();
  }

  bool tuple() {
    if (!take("(")) return false;
    while (!take(")")) {
      std::int64_t value = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (error != std::errc{} || value < 0) return false;
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      header_.shape.push_back(value);
      take("L");  // as Python 2 wrote them
      if (!take(",") && !rest_.starts_with(')')) return false;
    }
    return true;
  }

  std::optional<std::string_view> quoted() {
    const std::string_view quote = rest_.starts_with('"') ? "\"" : "'";
    if (!take(quote)) return {};
    const std::size_t end = rest_.find(quote);
    if (end == rest_.npos) return {};
    const auto text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    skip_space();
    return text;
  }

  bool take(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip_space();
    return true;
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size())); }

  std::string_view rest_;
  NpyHeader header_;
};

std::optional<DType> dtype_of(std::string_view descr) {
  if (descr == "<f4") return DType::f32;
  if (descr == "<f2") return DType::f16;
  if (descr == "|V2") return DType::bf16;
  return {};
}

class Archive {
 public:
  Archive(const FileBytes& file, std::string_view where) : where_(where), file_bytes_(file.bytes().size()) {
    if (file_bytes_ == 0) damaged("not a zip archive: the file is empty");  // libzip would take it for an empty one
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(file.bytes().data(), file_bytes_, 0, &error);
    zip_.reset(source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr);
    const std::string reason = zip_ ? "" : zip_error_strerror(&error);
    if (!zip_ && source) zip_source_free(source);
    zip_error_fini(&error);
    if (!zip_) damaged("not a zip archive: ", reason);
  }

  std::map<std::string, NpzArray, std::less<>> read(std::uint64_t max_bytes) {
    std::map<std::string, NpzArray, std::less<>> result;
    const auto entries = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    for (zip_uint64_t i = 0; i < entries; ++i) {
      zip_stat_t entry;
      constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
      if (zip_stat_index(zip_.get(), i, 0, &entry) != 0 || (entry.valid & kNeeded) != kNeeded)
        damaged("entry ", i, ": no size");
      std::string name = entry.name;
      if (!name.ends_with(".npy")) continue;
      name.resize(name.size() - 4);
      check_size(name, entry);
      if (entry.size > max_bytes) damaged("array ", name, ": more data than the limit");
      max_bytes -= entry.size;
      NpzArray array = parse(name, unpack(name, i, entry.size));
      if (!result.try_emplace(name, std::move(array)).second) damaged("array ", name, " is there twice");
    }
    return result;
  }

 private:
  struct Closer {
    void operator()(zip_t* zip) const { zip_discard(zip); }
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, "npz", "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

  // Before anything of that size is allocated.
  void check_size(const std::string& name, const zip_stat_t& entry) const {
    if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE)
      damaged("array ", name, ": expected it stored or deflated, got method ", entry.comp_method);
    const std::uint64_t ratio = entry.comp_method == ZIP_CM_STORE ? 1 : kMaxDeflateRatio;
    if (entry.comp_size > file_bytes_ || entry.size / ratio > entry.comp_size)
      damaged("array ", name, ": claims ", entry.size, " bytes out of ", entry.comp_size, " in a file of ",
              file_bytes_);
  }

  std::vector<std::byte> unpack(const std::string& name, zip_uint64_t index, std::uint64_t size) {
    const std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(zip_.get(), index, 0));
    if (!file) damaged("array ", name, ": ", zip_strerror(zip_.get()));
    std::vector<std::byte> bytes(size);
    std::uint64_t done = 0;
    while (done < size) {
      const zip_int64_t n = zip_fread(file.get(), bytes.data() + done, size - done);
      if (n <= 0) damaged("array ", name, ": ", n < 0 ? zip_file_strerror(file.get()) : "it ends early");
      done += static_cast<std::uint64_t>(n);
    }
    std::byte beyond;  // the checksum is compared when the end is read
    const zip_int64_t n = zip_fread(file.get(), &beyond, 1);
    if (n != 0) damaged("array ", name, ": ", n < 0 ? zip_file_strerror(file.get()) : "longer than it says");
    return bytes;
  }

  NpzArray parse(const std::string& name, std::vector<std::byte> bytes) const {
    auto header = NpyParser::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!header) damaged("array ", name, ": expected an .npy header");
    const auto dtype = dtype_of(header->descr);
    if (!dtype) damaged("array ", name, ": expected the type <f4, <f2 or |V2, got ", header->descr);
    if (header->fortran_order) damaged("array ", name, ": expected C order, got Fortran order");
    std::uint64_t size = byte_size(*dtype);
    for (const std::int64_t n : header->shape)
      if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(n), &size))
        damaged("array ", name, ": the product of its shape is too large");
    if (size != bytes.size() - header->data_offset)
      damaged("array ", name, ": expected ", size, " bytes for its shape, got ", bytes.size() - header->data_offset);
    NpzArray array{.storage = std::move(bytes), .tensor = {.dtype = *dtype, .shape = std::move(header->shape)}};
    array.tensor.bytes = std::span(array.storage).subspan(header->data_offset);
    return array;
  }

  std::string_view where_;
  std::uint64_t file_bytes_;
  std::unique_ptr<zip_t, Closer> zip_;
};

}  // namespace

std::map<std::string, NpzArray, std::less<>> read_npz(const FileBytes& file, std::string_view where,
                                                      std::uint64_t max_bytes) {
  return Archive(file, where).read(max_bytes);
}

}  // namespace paligemma
