#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kLongestName = 65535, kMostDimensions = 4;
constexpr int kDeepestList = 16;
constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

// Bytes of a value that is neither a text nor a list; 0 for those, and for types that there are not.
std::uint64_t value_bytes(GgufValueType type) {
  switch (type) {
    case GgufValueType::u8:
    case GgufValueType::i8:
    case GgufValueType::boolean: return 1;
    case GgufValueType::u16:
    case GgufValueType::i16: return 2;
    case GgufValueType::u32:
    case GgufValueType::i32:
    case GgufValueType::f32: return 4;
    case GgufValueType::u64:
    case GgufValueType::i64:
    case GgufValueType::f64: return 8;
    case GgufValueType::text:
    case GgufValueType::list: break;
  }
  return 0;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) number = number << 8 | std::to_integer<std::uint64_t>(bytes[i - 1]);
  return number;
}

class GgufReader {
 public:
  GgufReader(FileBytes file, std::string_view where) : where_(where) { result_.file = std::move(file); }

  Gguf read() {
    rest_ = result_.file.bytes();
    const auto [tensors, values] = read_counts();
    for (std::uint64_t i = 0; i < values; ++i) add_value();
    for (std::uint64_t i = 0; i < tensors; ++i) add_tensor();
    find_data();
    return std::move(result_);
  }

 private:
  struct Place {
    std::uint64_t offset;  // in the data
    std::uint64_t size;
    std::string_view name;
    GgufTensor* tensor;
  };

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, "gguf", "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

  // The next bytes of the header; `what` they are, for messages.
  std::span<const std::byte> take(std::uint64_t size, std::string_view what) {
    if (size > rest_.size()) damaged(what, ": expected ", size, " bytes, the file has ", rest_.size(), " more");
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }
  std::uint32_t u32(std::string_view what) { return static_cast<std::uint32_t>(little_endian(take(4, what))); }
  std::uint64_t u64(std::string_view what) { return little_endian(take(8, what)); }
  std::span<const std::byte> text(std::string_view what, std::uint64_t longest) {
    const std::uint64_t size = u64(what);
    if (size > longest) damaged(what, ": expected at most ", longest, " bytes, got ", size);
    return take(size, what);
  }
  static std::string as_string(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::pair<std::uint64_t, std::uint64_t> read_counts() {
    if (!result_.file.text().starts_with("GGUF")) damaged("expected a file that begins with \"GGUF\"");
    take(4, "the header");
    const std::uint32_t version = u32("the version");
    if ((version & 0xffff) == 0 && version != 0) damaged("version ", version, ": expected a little-endian file");
    if (version != 2 && version != 3) damaged("expected version 2 or 3, got ", version);
    const std::uint64_t tensors = u64("the number of tensors"), values = u64("the number of values");
    // A value takes at least 13 bytes, a tensor 24: a lie is not followed to the end of the file.
    if (values > rest_.size() / 13) damaged(values, " values in ", rest_.size(), " bytes");
    if (tensors > rest_.size() / 24) damaged(tensors, " tensors in ", rest_.size(), " bytes");
    return {tensors, values};
  }

  void add_value() {
    std::string key = as_string(text("a key", kLongestName));
    const auto type = static_cast<GgufValueType>(u32(key));
    const GgufValue value = read_value(key, type, 0);
    const auto [place, added] = result_.metadata.try_emplace(std::move(key), value);
    if (!added) damaged("the value ", place->first, " is there twice");
  }

  GgufValue read_value(const std::string& key, GgufValueType type, int depth) {
    if (type == GgufValueType::text) return {.type = type, .bytes = text(key, kUnlimited)};
    if (type == GgufValueType::list) return read_list(key, depth);
    const std::uint64_t size = value_bytes(type);
    if (size == 0) damaged(key, ": expected a type from 0 to 12, got ", static_cast<std::uint32_t>(type));
    const auto bytes = take(size, key);
    if (type == GgufValueType::boolean) check_booleans(key, bytes);
    return {.type = type, .bytes = bytes};
  }

  GgufValue read_list(const std::string& key, int depth) {
    if (depth == kDeepestList) damaged(key, ": expected at most ", kDeepestList, " lists in each other, got more");
    GgufValue list{.type = GgufValueType::list, .of = static_cast<GgufValueType>(u32(key)), .count = u64(key)};
    const auto start = rest_;
    if (const std::uint64_t size = value_bytes(list.of); size > 0) {
      if (list.count > rest_.size() / size)
        damaged(key, ": a list of ", list.count, " values of ", size, " bytes, the file has ", rest_.size(), " more");
      const auto bytes = take(list.count * size, key);
      if (list.of == GgufValueType::boolean) check_booleans(key, bytes);
    } else {
      for (std::uint64_t i = 0; i < list.count; ++i) read_value(key, list.of, depth + 1);
      if (list.of > GgufValueType::f64)
        damaged(key, ": expected a type from 0 to 12, got ", static_cast<std::uint32_t>(list.of));
    }
    list.bytes = start.first(start.size() - rest_.size());
    return list;
  }

  void check_booleans(const std::string& key, std::span<const std::byte> bytes) const {
    for (const std::byte byte : bytes)
      if (byte > std::byte{1}) damaged(key, ": expected 0 or 1, got ", std::to_integer<int>(byte));
  }

  void add_tensor() {
    std::string name = as_string(text("the name of a tensor", kLongestName));
    const auto [place, added] = result_.tensors.try_emplace(std::move(name));
    if (!added) damaged("tensor ", place->first, " is there twice");
    const std::string& known_as = place->first;
    GgufTensor& tensor = place->second;
    const std::uint32_t dimensions = u32(known_as);
    if (dimensions > kMostDimensions)
      damaged("tensor ", known_as, ": expected at most ", kMostDimensions, " dimensions, got ", dimensions);
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const std::uint64_t size = u64(known_as);
      if (size > INT64_MAX) damaged("tensor ", known_as, ": expected sizes below 2^63, got ", size);
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    tensor.type = static_cast<GgufType>(u32(known_as));
    places_.push_back({u64(known_as), size_of(known_as, tensor), known_as, &tensor});
  }

  std::uint64_t size_of(const std::string& name, const GgufTensor& tensor) const {
    const GgufTypeInfo* type = find_gguf_type(tensor.type);
    if (type == nullptr)
      damaged("tensor ", name, ": expected a type that the format has, got ", static_cast<std::uint32_t>(tensor.type));
    const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % type->elements != 0)
      damaged("tensor ", name, ": expected rows of whole blocks of ", type->elements, " for ", type->name, ", got ",
              row);
    std::uint64_t elements = 1, size = 0;
    for (const std::int64_t n : tensor.shape)
      if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(n), &elements))
        damaged("tensor ", name, ": the product of its sizes is too large: ", shape_text(tensor.shape));
    if (__builtin_mul_overflow(elements / static_cast<std::uint64_t>(type->elements),
                               static_cast<std::uint64_t>(type->bytes), &size))
      damaged("tensor ", name, ": the product of its sizes is too large: ", shape_text(tensor.shape));
    return size;
  }

  std::uint64_t alignment() const {
    const auto found = result_.metadata.find("general.alignment");
    if (found == result_.metadata.end()) return kGgufAlignment;
    const std::uint64_t alignment = found->second.natural().value_or(0);
    if (alignment < 8 || alignment > (1u << 30) || !std::has_single_bit(alignment))
      damaged("general.alignment: expected a power of 2 from 8 to 2^30, got ", alignment);
    return alignment;
  }

  void find_data() {
    const std::uint64_t unit = alignment(), header = result_.file.bytes().size() - rest_.size();
    const std::uint64_t begin = (header + unit - 1) / unit * unit;
    if (places_.empty()) return;
    if (begin > result_.file.bytes().size())
      damaged("expected data from byte ", begin, " on in a file of ", result_.file.bytes().size());
    const auto data = result_.file.bytes().subspan(begin);
    std::ranges::sort(places_, {}, [](const Place& place) { return std::pair(place.offset, place.size); });
    const Place* before = nullptr;
    for (const Place& place : places_) {
      if (place.offset % unit != 0)
        damaged("tensor ", place.name, ": expected an offset that is a multiple of ", unit, ", got ", place.offset);
      if (place.offset > data.size() || place.size > data.size() - place.offset)
        damaged("tensor ", place.name, ": ", place.size, " bytes at byte ", place.offset, " of ", data.size(),
                " bytes of data");
      if (before != nullptr && place.offset < before->offset + before->size)
        damaged("tensor ", place.name, ": begins at byte ", place.offset, ", where tensor ", before->name,
                " ends at byte ", before->offset + before->size);
      place.tensor->bytes = data.subspan(place.offset, place.size);
      before = &place;
    }
  }

  std::string_view where_;
  Gguf result_;
  std::span<const std::byte> rest_;  // what was not read yet
  std::vector<Place> places_;
};

}  // namespace

std::optional<std::string_view> GgufValue::text() const {
  if (type != GgufValueType::text) return {};
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::uint64_t> GgufValue::natural() const {
  switch (type) {
    case GgufValueType::u8:
    case GgufValueType::u16:
    case GgufValueType::u32:
    case GgufValueType::u64: return little_endian(bytes);
    case GgufValueType::i8:
    case GgufValueType::i16:
    case GgufValueType::i32:
    case GgufValueType::i64:
      if (std::to_integer<int>(bytes.back()) >= 0x80) return {};
      return little_endian(bytes);
    default: return {};
  }
}

Gguf read_gguf(FileBytes file, std::string_view where) { return GgufReader(std::move(file), where).read(); }

}  // namespace paligemma
