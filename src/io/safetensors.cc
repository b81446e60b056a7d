#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "io/json.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // as in the format's own library

// Bytes of an element of the types whose elements are whole bytes; 0 for others.
std::uint64_t element_bytes(std::string_view dtype) {
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 14> kSizes{{{"F32", 4},
                                                                                      {"BF16", 2},
                                                                                      {"F16", 2},
                                                                                      {"F64", 8},
                                                                                      {"I64", 8},
                                                                                      {"U64", 8},
                                                                                      {"I32", 4},
                                                                                      {"U32", 4},
                                                                                      {"I16", 2},
                                                                                      {"U16", 2},
                                                                                      {"I8", 1},
                                                                                      {"U8", 1},
                                                                                      {"BOOL", 1},
                                                                                      {"C64", 8}}};
  for (const auto& [name, size] : kSizes)
    if (name == dtype) return size;
  return 0;
}

class SafetensorsReader {
 public:
  SafetensorsReader(FileBytes file, std::string_view where) : where_(where) { result_.file = std::move(file); }

  Safetensors read() {
    const std::string_view header = split();
    try {
      parse_json_members(header, where_, ErrorKind::model,
                         [this](const std::string& name, const Json& value) { add(name, value); });
    } catch (const Error& error) {
      if (error.code() != "json") throw;
      throw Error(ErrorKind::model, "safetensors", error.what());
    }
    check_ranges();
    return std::move(result_);
  }

 private:
  struct Range {
    std::uint64_t begin, end;
    std::string_view name;
  };

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, "safetensors", "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

  // Finds the header and the data.
  std::string_view split() {
    const auto bytes = result_.file.bytes();
    if (bytes.size() < 8) damaged("expected at least 8 bytes, got ", bytes.size());
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (length > kMaxHeader) damaged("expected a header of at most ", kMaxHeader, " bytes, got ", length);
    if (length > bytes.size() - 8) damaged("header of ", length, " bytes in a file of ", bytes.size());
    data_ = bytes.subspan(8 + length);
    const std::string_view header = result_.file.text().substr(8, length);
    if (!header.starts_with('{')) damaged("expected a header that begins with \"{\"");
    return header;
  }

  void add(const std::string& name, const Json& value) {
    if (name == "__metadata__") return add_metadata(value);
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets") || !value["dtype"].is_string())
      damaged("tensor ", name, ": expected an object of dtype, shape and data_offsets");
    const auto& dtype = value["dtype"].get_ref<const std::string&>();
    const auto shape = integers(name, "shape", value["shape"]);
    const auto offsets = integers(name, "data_offsets", value["data_offsets"]);
    if (offsets.size() != 2) damaged("tensor ", name, ": expected two data_offsets, got ", offsets.size());
    const auto [begin, end] = std::pair<std::uint64_t, std::uint64_t>(offsets[0], offsets[1]);
    if (begin > end || end > data_.size())
      damaged("tensor ", name, ": bytes ", begin, " to ", end, " of ", data_.size(), " bytes of data");
    check_size(name, dtype, shape, begin, end);
    keep(name, dtype, shape, {begin, end, {}});
  }

  void check_size(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
                  std::uint64_t begin, std::uint64_t end) const {
    const std::uint64_t element = element_bytes(dtype);
    if (element == 0) return;
    std::uint64_t size = element;
    for (const std::int64_t n : shape)
      if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(n), &size))
        damaged("tensor ", name, ": the product of its shape is too large");
    if (size != end - begin)
      damaged("tensor ", name, ": expected ", size, " bytes for its shape and ", dtype, ", got ", end - begin);
    if (begin % element != 0)
      damaged("tensor ", name, ": expected an offset that is a multiple of ", element, ", got ", begin);
  }

  void keep(const std::string& name, const std::string& dtype, std::vector<std::int64_t> shape, Range range) {
    bool added = false;
    const auto bytes = data_.subspan(range.begin, range.end - range.begin);
    if (dtype == "F32" || dtype == "BF16" || dtype == "F16") {
      const DType type = dtype == "F32" ? DType::f32 : dtype == "BF16" ? DType::bf16 : DType::f16;
      const auto place = result_.tensors.try_emplace(name, HostTensor{type, std::move(shape), bytes});
      added = place.second && !result_.others.contains(name);
      range.name = place.first->first;
    } else {
      const auto place = result_.others.try_emplace(name, RawTensor{dtype, std::move(shape), bytes});
      added = place.second && !result_.tensors.contains(name);
      range.name = place.first->first;
    }
    if (!added) damaged("tensor ", name, " is there twice");
    ranges_.push_back(range);
  }

  void add_metadata(const Json& value) {
    if (std::exchange(has_metadata_, true)) damaged("__metadata__ is there twice");
    if (!value.is_object()) damaged("__metadata__: expected an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) damaged("__metadata__: ", key, ": expected text");
      result_.metadata.emplace(key, text.get_ref<const std::string&>());
    }
  }

  std::vector<std::int64_t> integers(const std::string& name, std::string_view field, const Json& value) const {
    std::vector<std::int64_t> result;
    if (!value.is_array()) damaged("tensor ", name, ": expected a list as its ", field);
    for (const Json& n : value) {
      if (!n.is_number_unsigned() || n.get<std::uint64_t>() > INT64_MAX)
        damaged("tensor ", name, ": expected natural numbers below 2^63 as its ", field);
      result.push_back(n.get<std::int64_t>());
    }
    return result;
  }

  // The format wants the tensors to cover the data once and without holes.
  void check_ranges() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t covered = 0;
    for (const Range& range : ranges_) {
      if (range.begin != covered)
        damaged("tensor ", range.name, ": expected to begin at byte ", covered, ", got ", range.begin);
      covered = range.end;
    }
    if (covered != data_.size()) damaged("expected ", covered, " bytes of data, got ", data_.size());
  }

  std::string_view where_;
  Safetensors result_;
  std::span<const std::byte> data_;
  std::vector<Range> ranges_;
  bool has_metadata_ = false;
};

}  // namespace

Safetensors read_safetensors(FileBytes file, std::string_view where) {
  return SafetensorsReader(std::move(file), where).read();
}

}  // namespace paligemma
