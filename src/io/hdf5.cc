#include "io/hdf5.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "io/hdf5_format.h"

namespace paligemma {
namespace {

using namespace hdf5;

using Bytes = std::span<const std::byte>;

// Longest path that is read. Keras stays below 200; what is stored for an object stays in proportion to its bytes.
constexpr std::size_t kMaxPath = 1024;
constexpr int kMaxRank = 32;  // as in the format's own library

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class Hdf5Reader {
 public:
  Hdf5Reader(FileBytes file, std::string_view where) : where_(where) {
    result_.file = std::move(file);
    bytes_ = result_.file.bytes();
    budget_ = 2 * static_cast<std::uint64_t>(bytes_.size());
  }

  Hdf5 read() {
    read_object("", superblock());
    check_overlaps();
    return std::move(result_);
  }

 private:
  // The messages of an object's header that say what it is; empty when they are not there.
  struct Object {
    Bytes dataspace, datatype, layout, symbols;
    std::vector<Bytes> attributes;
    bool new_group = false, filtered = false, external = false;
  };
  struct Entry {
    std::string_view name;
    std::uint64_t header;
  };
  // What an attribute or a dataset says of its elements.
  struct Shape {
    std::vector<std::int64_t> dims;
    std::uint64_t elements = 1;
  };
  struct Range {
    std::uint64_t begin, end;
    std::string_view path;
  };

  template <class... Parts>
  [[noreturn]] void damaged(Parts&&... parts) const {
    fail(ErrorKind::model, "hdf5", "cannot read: ", where_, ": ", std::forward<Parts>(parts)...);
  }

  // Bytes of the description of a file are read once, and strings once more. A file whose parts refer to the same bytes
  // again and again ends here.
  void spend(std::uint64_t bytes) {
    if (bytes > budget_) damaged("its parts overlap or refer to each other in a circle");
    budget_ -= bytes;
  }

  void visit(std::uint64_t address, std::string_view what) {
    if (!visited_.insert(address).second) damaged(what, " at byte ", address, " is referred to twice");
  }

  Bytes at(std::uint64_t address, std::uint64_t size, std::string_view what) {
    if (address > bytes_.size() || size > bytes_.size() - address)
      damaged(what, ": expected ", size, " bytes at byte ", address, " of a file of ", bytes_.size());
    spend(size);
    return bytes_.subspan(address, size);
  }

  Bytes part(Bytes whole, std::uint64_t offset, std::uint64_t size, std::string_view what) const {
    if (offset > whole.size() || size > whole.size() - offset)
      damaged(what, ": expected ", size, " bytes at ", offset, " of ", whole.size());
    return whole.subspan(offset, size);
  }

  std::uint64_t number(Bytes whole, std::uint64_t offset, std::uint64_t size, std::string_view what) const {
    const Bytes digits = part(whole, offset, size, what);
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(digits[i]);
    return value;
  }

  // Gives the address of the root group's header.
  std::uint64_t superblock() {
    if (!result_.file.text().starts_with(kSignature)) damaged("expected the signature of an HDF5 file");
    const std::uint64_t version = number(bytes_, 8, 1, "superblock");
    if (version != 0) damaged("expected superblock version 0, as Keras writes it, got version ", version);
    const Bytes block = at(0, kSuperblockSize, "superblock");
    const std::uint64_t offsets = number(block, 13, 1, ""), lengths = number(block, 14, 1, "");
    if (offsets != 8 || lengths != 8)
      damaged("expected offsets and lengths of 8 bytes, got ", offsets, " and ", lengths);
    const std::uint64_t base = number(block, 24, 8, ""), end = number(block, 40, 8, "");
    if (base != 0) damaged("expected base address 0, got ", base);
    if (end > bytes_.size()) damaged("cut off: expected ", end, " bytes, got ", bytes_.size());
    bytes_ = bytes_.first(end);
    return number(block, 64, 8, "");
  }

  Object read_header(std::uint64_t address) {
    visit(address, "object header");
    const Bytes prefix = at(address, 16, "object header");
    const std::uint64_t version = number(prefix, 0, 1, "");
    if (version != 1) damaged("object header at byte ", address, ": expected version 1, got ", version);
    const std::uint64_t messages = number(prefix, 2, 2, "");
    Object object;
    std::vector<Bytes> blocks{at(address + 16, number(prefix, 8, 4, ""), "object header")};
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i)
      for (Bytes rest = blocks[i]; rest.size() >= 8 && seen < messages; ++seen) {
        const std::uint64_t size = number(rest, 2, 2, "");
        const Bytes body = part(rest, 8, size, "header message");
        const std::uint64_t type = number(rest, 0, 2, "");
        if (type == kContinuation) {
          const std::uint64_t next = number(body, 0, 8, "continuation");
          visit(next, "continuation block");
          blocks.push_back(at(next, number(body, 8, 8, "continuation"), "continuation block"));
        } else {
          add_message(object, type, (number(rest, 4, 1, "") & 2) != 0, body);
        }
        rest = rest.subspan(8 + size);
      }
    if (seen < messages) damaged("object header at byte ", address, ": expected ", messages, " messages, got ", seen);
    return object;
  }

  void add_message(Object& object, std::uint64_t type, bool shared, Bytes body) const {
    const auto keep = [&](Bytes& place, std::string_view what) {
      if (shared) damaged("expected a ", what, " in the object's header, got one that is shared");
      if (!place.empty()) damaged("an object has two ", what, "s");
      if (body.empty()) damaged("an object has an empty ", what);
      place = body;
    };
    switch (type) {
      case kDataspace: return keep(object.dataspace, "dataspace");
      case kDatatype: return keep(object.datatype, "datatype");
      case kLayout: return keep(object.layout, "layout");
      case kSymbolTable: return keep(object.symbols, "symbol table");
      case kAttribute:
        if (shared) damaged("expected attributes in the object's header, got one that is shared");
        object.attributes.push_back(body);
        return;
      case kLinkInfo: object.new_group = true; return;
      case kFilters: object.filtered = true; return;
      case kExternalFiles: object.external = true; return;
      default: return;
    }
  }

  void read_object(const std::string& path, std::uint64_t address) {
    const Object object = read_header(address);
    if (object.new_group)
      damaged("group /", path, ": expected a symbol table, as Keras writes it, got a newer form of group");
    if (!object.symbols.empty()) return read_group(path, object);
    if (object.layout.empty() || object.dataspace.empty() || object.datatype.empty())
      damaged("/", path, ": expected a group or a dataset");
    read_dataset(path, object);
  }

  void read_group(const std::string& path, const Object& group) {
    if (auto name = attribute(path, group, "name")) result_.names.emplace(path, std::move(*name));
    const Bytes heap = at(number(group.symbols, 8, 8, "symbol table"), 32, "local heap");
    if (text_of(heap.first(4)) != "HEAP") damaged("group /", path, ": expected a local heap");
    const std::uint64_t size = number(heap, 8, 8, ""), data = number(heap, 24, 8, "");
    if (data > bytes_.size() || size > bytes_.size() - data)
      damaged("group /", path, ": names at byte ", data, ", ", size, " bytes, of a file of ", bytes_.size());
    std::vector<Entry> entries;
    read_tree(number(group.symbols, 0, 8, "symbol table"), {}, bytes_.subspan(data, size), entries);
    std::string_view before;
    for (const Entry& entry : entries) {
      if (entry.name <= before) damaged("group /", path, ": expected names in ascending order, each once");
      before = entry.name;
      if (path.size() + 1 + entry.name.size() > kMaxPath) damaged("a path is longer than ", kMaxPath, " bytes");
      if (entry.name.find('/') != entry.name.npos || entry.name == ".")
        damaged("group /", path, ": expected a name, got \"", entry.name, '"');
      read_object(path.empty() ? std::string(entry.name) : join(path, '/', entry.name), entry.header);
    }
  }

  // Appends the entries below a node of a group's B-tree, of which the parent says how high it is.
  void read_tree(std::uint64_t address, std::optional<std::uint64_t> expected_level, Bytes names,
                 std::vector<Entry>& entries) {
    visit(address, "B-tree node");
    const Bytes node = at(address, 24, "B-tree node");
    if (text_of(node.first(4)) != "TREE" || number(node, 4, 1, "") != 0)
      damaged("expected a node of a group's B-tree at byte ", address);
    const std::uint64_t level = number(node, 5, 1, ""), used = number(node, 6, 2, "");
    if (expected_level && level != *expected_level)
      damaged("B-tree node at byte ", address, ": expected level ", *expected_level, ", got ", level);
    const Bytes children = at(address + 24, used * 16, "B-tree node");  // keys and addresses by turns
    for (std::uint64_t i = 0; i < used; ++i) {
      const std::uint64_t child = number(children, i * 16 + 8, 8, "");
      if (level > 0)
        read_tree(child, level - 1, names, entries);
      else
        read_symbols(child, names, entries);
    }
  }

  void read_symbols(std::uint64_t address, Bytes names, std::vector<Entry>& entries) {
    visit(address, "symbol table node");
    const Bytes node = at(address, 8, "symbol table node");
    if (text_of(node.first(4)) != "SNOD") damaged("expected a symbol table node at byte ", address);
    const std::uint64_t count = number(node, 6, 2, "");
    const Bytes symbols = at(address + 8, count * 40, "symbol table node");
    for (std::uint64_t i = 0; i < count; ++i) {
      const Bytes symbol = symbols.subspan(i * 40, 40);
      const std::uint64_t offset = number(symbol, 0, 8, "");
      if (offset >= names.size()) damaged("a name at ", offset, " of ", names.size(), " bytes of names");
      const std::string_view rest = text_of(names.subspan(offset, std::min(names.size() - offset, kMaxPath + 1)));
      const std::size_t length = rest.find('\0');
      if (length == rest.npos || length == 0) damaged("expected a name of 1 to ", kMaxPath, " bytes");
      spend(length + 1);
      if (number(symbol, 16, 4, "") == 2) damaged(rest.substr(0, length), ": expected no symbolic links");
      entries.push_back({rest.substr(0, length), number(symbol, 8, 8, "")});
    }
  }

  void read_dataset(const std::string& path, const Object& dataset) {
    const auto dtype = element_type(path, dataset);
    if (!dtype) return;
    if (dataset.filtered) damaged("dataset /", path, ": expected plain data, got compressed or filtered data");
    if (dataset.external) damaged("dataset /", path, ": expected its data in this file, got other files");
    const std::uint64_t version = number(dataset.layout, 0, 1, "layout");
    if (version != 3) damaged("dataset /", path, ": expected layout version 3, got ", version);
    const std::uint64_t kind = number(dataset.layout, 1, 1, "layout");
    if (kind != 1)
      damaged("dataset /", path, ": expected contiguous data, got ",
              kind == 0   ? "compact data"
              : kind == 2 ? "chunked data"
                          : join("layout class ", kind));
    const std::uint64_t begin = number(dataset.layout, 2, 8, "layout"), size = number(dataset.layout, 10, 8, "layout");
    Shape shape = shape_of(dataset.dataspace);
    std::uint64_t expected = 0;
    if (__builtin_mul_overflow(shape.elements, static_cast<std::uint64_t>(byte_size(*dtype)), &expected))
      damaged("dataset /", path, ": the product of its shape is too large");
    if (size != expected) damaged("dataset /", path, ": expected ", expected, " bytes for its shape, got ", size);
    if (size > 0 && begin == kNoAddress) damaged("dataset /", path, ": expected data, got none");
    if (size > 0 && (begin > bytes_.size() || size > bytes_.size() - begin))
      damaged("dataset /", path, ": bytes ", begin, " to ", begin + size, " of a file of ", bytes_.size());
    const auto place = result_.datasets.try_emplace(
        path, HostTensor{*dtype, std::move(shape.dims), size > 0 ? bytes_.subspan(begin, size) : Bytes()});
    if (size > 0) ranges_.push_back({begin, begin + size, place.first->first});
  }

  // None when the dataset is listed as skipped.
  std::optional<DType> element_type(const std::string& path, const Object& dataset) {
    const std::uint64_t first = number(dataset.datatype, 0, 1, "datatype"), kind = first & 15;
    const std::uint64_t flags = number(dataset.datatype, 1, 3, "datatype");
    const std::uint64_t size = number(dataset.datatype, 4, 4, "datatype");
    const auto skip = [&](std::string type) -> std::optional<DType> {
      result_.skipped.emplace(path, std::move(type));
      return {};
    };
    if (kind == kFloat && (flags & 1) != 0)
      damaged("dataset /", path, ": expected little-endian numbers, got big-endian ones");
    if (kind == kFloat) {
      if (text_of(dataset.datatype).starts_with(kFloat32)) return DType::f32;
      if (text_of(dataset.datatype).starts_with(kFloat16)) return DType::f16;
      return skip(size == 8 ? "float64" : join("floats of ", size, " bytes"));
    }
    if (kind == kInteger) return skip(join((flags & 8) != 0 ? "int" : "uint", size * 8));
    if (kind != kOpaque) return skip(join("datatype of class ", kind));
    const auto dtype = attribute(path, dataset, "dtype");
    if (dtype == "bfloat16" && size == 2) return DType::bf16;
    return skip(dtype ? *dtype : join("opaque elements of ", size, " bytes"));
  }

  Shape shape_of(Bytes dataspace) const {
    const std::uint64_t version = number(dataspace, 0, 1, "dataspace"), rank = number(dataspace, 1, 1, "dataspace");
    if (version != 1 && version != 2) damaged("expected dataspace version 1 or 2, got ", version);
    if (rank > kMaxRank) damaged("expected at most ", kMaxRank, " dimensions, got ", rank);
    Shape shape;
    constexpr std::uint64_t kNull = 2;
    if (version == 2 && number(dataspace, 3, 1, "dataspace") == kNull) shape.elements = 0;
    for (std::uint64_t i = 0; i < rank; ++i) {
      const std::uint64_t n = number(dataspace, (version == 1 ? 8 : 4) + 8 * i, 8, "dataspace");
      if (n > INT64_MAX || __builtin_mul_overflow(shape.elements, n, &shape.elements))
        damaged("the product of a shape is too large");
      shape.dims.push_back(static_cast<std::int64_t>(n));
    }
    return shape;
  }

  // The text of the attribute of that name.
  std::optional<std::string> attribute(const std::string& path, const Object& object, std::string_view name) {
    for (const Bytes message : object.attributes) {
      const std::uint64_t version = number(message, 0, 1, "attribute");
      if (version < 1 || version > 3) damaged("/", path, ": expected attribute version 1 to 3, got ", version);
      std::uint64_t offset = version == 3 ? 9 : 8;
      const auto next = [&](std::uint64_t size_at) {
        const std::uint64_t size = number(message, size_at, 2, "attribute");
        const Bytes field = part(message, offset, size, "attribute");
        offset += version == 1 ? padded(size) : size;
        return field;
      };
      const std::string_view written = text_of(next(2));
      const Bytes type = next(4), space = next(6);
      if (written.substr(0, written.find('\0')) != name) continue;
      if (version > 1 && number(message, 1, 1, "attribute") != 0)
        damaged("/", path, ": attribute ", name, ": expected its type in it, got a shared one");
      if (shape_of(space).elements != 1) damaged("/", path, ": attribute ", name, ": expected one text");
      return text(path, name, type, part(message, offset, message.size() - offset, "attribute"));
    }
    return {};
  }

  std::string text(const std::string& path, std::string_view name, Bytes type, Bytes value) {
    const std::uint64_t kind = number(type, 0, 1, "datatype") & 15, flags = number(type, 1, 3, "datatype");
    std::string_view result;
    if (kind == kString) {
      result = text_of(part(value, 0, number(type, 4, 4, "datatype"), "attribute"));
    } else if (kind == kVariableLength && (flags & 15) == 1) {
      const std::uint64_t length = number(value, 0, 4, "attribute");
      if (length == 0) return {};
      const Bytes stored = heap_object(number(value, 4, 8, "attribute"), number(value, 12, 4, "attribute"));
      result = text_of(part(stored, 0, length, "text in a global heap"));
    } else {
      damaged("/", path, ": attribute ", name, ": expected a text");
    }
    spend(result.size());
    return std::string(result.substr(0, result.find('\0')));
  }

  Bytes heap_object(std::uint64_t address, std::uint64_t index) {
    const auto [place, is_new] = heaps_.try_emplace(address);
    if (is_new) read_heap(address, place->second);
    const auto found = place->second.find(index);
    if (found == place->second.end()) damaged("global heap at byte ", address, ": expected an object ", index);
    return found->second;
  }

  void read_heap(std::uint64_t address, std::map<std::uint64_t, Bytes>& objects) {
    const Bytes prefix = at(address, 16, "global heap");
    if (text_of(prefix.first(4)) != "GCOL" || number(prefix, 4, 1, "") != 1)
      damaged("expected a global heap of version 1 at byte ", address);
    const std::uint64_t size = number(prefix, 8, 8, "");
    if (size < 16) damaged("global heap at byte ", address, ": expected at least 16 bytes, got ", size);
    Bytes rest = at(address + 16, size - 16, "global heap");
    while (rest.size() >= 16) {
      const std::uint64_t index = number(rest, 0, 2, ""), length = number(rest, 8, 8, "");
      if (index == 0) return;  // the free space, which is the last
      const Bytes object = part(rest, 16, length, "object in a global heap");
      if (!objects.emplace(index, object).second)
        damaged("global heap at byte ", address, ": object ", index, " is there twice");
      rest = rest.subspan(std::min<std::uint64_t>(16 + padded(length), rest.size()));
    }
  }

  void check_overlaps() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < ranges_.size(); ++i)
      if (ranges_[i].begin < ranges_[i - 1].end)
        damaged("the bytes of datasets /", ranges_[i - 1].path, " and /", ranges_[i].path, " overlap");
  }

  std::string_view where_;
  Hdf5 result_;
  Bytes bytes_;
  std::uint64_t budget_ = 0;
  std::set<std::uint64_t> visited_;
  std::map<std::uint64_t, std::map<std::uint64_t, Bytes>>
      heaps_;  // global heaps that were read: address -> index -> object
  std::vector<Range> ranges_;
};

}  // namespace

Hdf5 read_hdf5(FileBytes file, std::string_view where) { return Hdf5Reader(std::move(file), where).read(); }

}  // namespace paligemma
