// Writes HDF5 files as Keras lays them out: the superblock, the global heaps with all texts, each group after what it
// holds (header, local heap, symbol table nodes, B-tree), and then the data of the datasets.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "io/hdf5.h"
#include "io/hdf5_format.h"

namespace paligemma {
namespace {

using namespace hdf5;

constexpr std::size_t kSymbolsPerNode = 8;    // twice the leaf K of the superblock
constexpr std::size_t kChildrenPerNode = 32;  // twice the internal K
constexpr std::size_t kHeapSize = 4096;       // the least that a global heap may have

template <class... Parts>
[[noreturn]] void mistaken(Parts&&... parts) {
  fail(ErrorKind::failure, "hdf5", "cannot write HDF5: ", std::forward<Parts>(parts)...);
}

std::string little(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i, value >>= 8) result += static_cast<char>(value);
  return result;
}

std::string padded_text(std::string text) {
  text.resize(padded(text.size()), '\0');
  return text;
}

// A group or a dataset with what it holds.
struct Node {
  std::map<std::string, Node> children;
  std::string name;  // its attribute "name", when it is a group
  const Hdf5Layout::Dataset* dataset = nullptr;
};

// Where a text lies in the global heaps.
struct HeapPlace {
  std::uint64_t heap = 0;
  std::uint16_t index = 0;
  std::size_t length = 0;
};

std::uint64_t bytes_of(const Hdf5Layout::Dataset& dataset) {
  std::uint64_t size = byte_size(dataset.dtype);
  for (const std::int64_t n : dataset.shape)
    if (n < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(n), &size))
      mistaken("the shape of ", dataset.path, " is too large");
  return size;
}

// Everything in front of the data.
class Description {
 public:
  explicit Description(const Hdf5Layout& layout) {
    Node root;
    for (const auto& [path, name] : layout.names) place(root, path).name = name;
    for (const auto& dataset : layout.datasets) {
      Node& node = place(root, dataset.path);
      if (node.dataset || !node.children.empty() || layout.names.contains(dataset.path))
        mistaken(dataset.path, " is there twice");
      node.dataset = &dataset;
    }
    out_.resize(kSuperblockSize);
    write_heaps(root);
    const Group group = write_group(root);
    const std::uint64_t end = place_data(layout);
    const std::string superblock =
        join(kSignature, little(0, 5), little(8, 1), little(8, 1), little(0, 1), little(kSymbolsPerNode / 2, 2),
             little(kChildrenPerNode / 2, 2), little(0, 4), little(0, 8), little(kNoAddress, 8), little(end, 8),
             little(kNoAddress, 8), little(0, 8), little(group.header, 8), little(1, 8), little(group.tree, 8),
             little(group.heap, 8));
    out_.replace(0, kSuperblockSize, superblock);
  }

  std::string_view bytes() const { return out_; }

 private:
  struct Group {
    std::uint64_t header, tree, heap;
  };
  // A child of a B-tree node: where it is, and the last name below it by its offset in the local heap.
  struct Child {
    std::uint64_t address, last_name;
  };

  static Node& place(Node& root, std::string_view path) {
    Node* node = &root;
    while (!path.empty()) {
      const std::size_t length = std::min(path.find('/'), path.size());
      if (node->dataset || length == 0) mistaken("a path goes through a dataset or an empty name: ", path);
      node = &node->children[std::string(path.substr(0, length))];
      path.remove_prefix(std::min(length + 1, path.size()));
    }
    return *node;
  }

  std::uint64_t append(std::string_view bytes) {
    const std::uint64_t address = out_.size();
    out_ += bytes;
    return address;
  }

  void write_heaps(const Node& root) {
    std::string objects;
    std::vector<HeapPlace> pending;
    std::uint16_t index = 0;
    const auto flush = [&] {
      if (objects.empty()) return;
      // What is left is an object of number 0 whose size counts its own header.
      const std::size_t size = std::max(kHeapSize, 16 + objects.size()), rest = size - 16 - objects.size();
      if (rest >= 16) objects += little(0, 8) + little(rest, 8);
      objects.resize(size - 16);
      append("GCOL" + little(1, 4) + little(size, 8) + objects);
      objects.clear();
      index = 0;
    };
    const auto put = [&](std::string_view text) {
      const std::string object = padded_text(std::string(text));
      if (16 + objects.size() + 16 + object.size() > kHeapSize) flush();
      texts_.push_back({out_.size(), ++index, text.size()});
      objects += little(index, 2) + little(0, 6) + little(text.size(), 8) + object;
    };
    const auto walk = [&](const Node& node, const auto& self) -> void {
      if (const std::string_view text = text_of(node); !text.empty()) put(text);
      for (const auto& [name, child] : node.children) self(child, self);
    };
    walk(root, walk);
    flush();
  }

  static std::string_view text_of(const Node& node) {
    if (!node.dataset) return node.name;
    return node.dataset->dtype == DType::bf16 ? "bfloat16" : "";
  }

  static std::string message(Message type, const std::string& body, int flags = 0) {
    const std::string padded_body = padded_text(body);
    return little(type, 2) + little(padded_body.size(), 2) + little(flags, 4) + padded_body;
  }

  std::uint64_t write_header(const std::vector<std::string>& messages) {
    std::string body;
    for (const std::string& each : messages) body += each;
    return append(little(1, 2) + little(messages.size(), 2) + little(1, 4) + little(body.size(), 8) + body);
  }

  // A scalar text of variable length in UTF-8, as h5py writes a str. Version 1.
  static std::string text_attribute(const std::string& name, const HeapPlace& value) {
    const std::string characters = little(0x10 | kInteger, 4) + little(1, 4) + little(0, 2) + little(8, 2);
    constexpr std::uint64_t kText = 1 << 8, kUtf8 = 1 << 16;
    const std::string type = little(0x10 | kVariableLength | kText | kUtf8, 4) + little(16, 4) + characters;
    const std::string space = little(1, 8);
    return message(kAttribute, little(1, 2) + little(name.size() + 1, 2) + little(type.size(), 2) +
                                   little(space.size(), 2) + padded_text(name + '\0') + padded_text(type) + space +
                                   little(value.length, 4) + little(value.heap, 8) + little(value.index, 4));
  }

  // The texts come in the order in which write_heaps() walked.
  const HeapPlace& next_text() { return texts_[next_text_++]; }

  Group write_group(const Node& group) {
    const HeapPlace* name = group.name.empty() ? nullptr : &next_text();
    std::string names(8, '\0');
    std::vector<std::pair<std::uint64_t, std::uint64_t>> entries;  // offset of the name, header
    for (const auto& [child_name, child] : group.children) {
      const std::uint64_t header = child.dataset ? write_dataset(*child.dataset) : write_group(child).header;
      entries.emplace_back(names.size(), header);
      names += padded_text(child_name + '\0');
    }
    Group result{};
    const std::uint64_t data = out_.size() + 32;
    result.heap = append("HEAP" + little(0, 4) + little(names.size(), 8) + little(1, 8) + little(data, 8) + names);
    result.tree = write_tree(entries);
    std::vector<std::string> messages{message(kSymbolTable, little(result.tree, 8) + little(result.heap, 8))};
    if (name) messages.push_back(text_attribute("name", *name));
    result.header = write_header(messages);
    return result;
  }

  std::uint64_t write_tree(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& entries) {
    std::vector<Child> children;
    for (std::size_t first = 0; first < entries.size(); first += kSymbolsPerNode) {
      const std::size_t count = std::min(kSymbolsPerNode, entries.size() - first);
      std::string node = "SNOD" + little(1, 2) + little(count, 2);
      for (std::size_t i = first; i < first + count; ++i)
        node += little(entries[i].first, 8) + little(entries[i].second, 8) + little(0, 24);
      node.resize(8 + 40 * kSymbolsPerNode);
      children.push_back({append(node), entries[first + count - 1].first});
    }
    for (int level = 0;; ++level) {
      children = write_level(children, level);
      if (children.size() == 1) return children.front().address;
    }
  }

  // The nodes of one level, at least one.
  std::vector<Child> write_level(const std::vector<Child>& children, int level) {
    constexpr std::size_t kNodeSize = 24 + 16 * kChildrenPerNode + 8;
    const std::size_t nodes = std::max<std::size_t>(1, (children.size() + kChildrenPerNode - 1) / kChildrenPerNode);
    std::vector<Child> result;
    std::uint64_t last_name = 0;  // the empty name, before all others
    for (std::size_t n = 0; n < nodes; ++n) {
      const std::size_t first = n * kChildrenPerNode, count = std::min(kChildrenPerNode, children.size() - first);
      const std::uint64_t here = out_.size();
      std::string node = "TREE" + little(0, 1) + little(level, 1) + little(count, 2) +
                         little(n == 0 ? kNoAddress : here - kNodeSize, 8) +
                         little(n + 1 == nodes ? kNoAddress : here + kNodeSize, 8) + little(last_name, 8);
      for (std::size_t i = first; i < first + count; ++i) {
        last_name = children[i].last_name;
        node += little(children[i].address, 8) + little(last_name, 8);
      }
      node.resize(kNodeSize);
      result.push_back({append(node), last_name});
    }
    return result;
  }

  std::uint64_t write_dataset(const Hdf5Layout::Dataset& dataset) {
    std::string space = little(1, 1) + little(dataset.shape.size(), 1) + little(0, 6);
    for (const std::int64_t n : dataset.shape) space += little(static_cast<std::uint64_t>(n), 8);
    const std::string type = dataset.dtype == DType::f32   ? std::string(kFloat32)
                             : dataset.dtype == DType::f16 ? std::string(kFloat16)
                                                           : little(0x10 | kOpaque, 4) + little(2, 4);
    std::vector<std::string> messages{
        message(kDataspace, space), message(kDatatype, type, 1),
        message(kFillValue, std::string("\2\2\2\1\0\0\0\0", 8), 1),
        message(kLayout, little(3, 1) + little(1, 1) + little(kNoAddress, 8) + little(bytes_of(dataset), 8))};
    std::size_t layout_end = 16;
    for (const std::string& each : messages) layout_end += each.size();
    if (dataset.dtype == DType::bf16) messages.push_back(text_attribute("dtype", next_text()));
    const std::uint64_t header = write_header(messages);
    // The body of the layout is padded from 18 to 24 bytes, and its address comes after two.
    address_at_[&dataset] = header + layout_end - 24 + 2;
    return header;
  }

  // Says where the data of each dataset will be. Gives the size of the file.
  std::uint64_t place_data(const Hdf5Layout& layout) {
    std::uint64_t end = padded(out_.size());
    for (const auto& dataset : layout.datasets) {
      const std::uint64_t size = bytes_of(dataset);
      if (size == 0) continue;
      out_.replace(address_at_[&dataset], 8, little(end, 8));
      end = padded(end + size);
    }
    return end;
  }

  std::string out_;
  std::vector<HeapPlace> texts_;
  std::size_t next_text_ = 0;
  std::map<const Hdf5Layout::Dataset*, std::uint64_t> address_at_;
};

}  // namespace

void write_hdf5(const Hdf5Layout& layout, const DatasetSource& source, const ByteSink& sink) {
  const auto put = [&](std::string_view text) { sink(std::as_bytes(std::span(text.data(), text.size()))); };
  const auto pad = [&](std::uint64_t size) { put(std::string(padded(size) - size, '\0')); };
  {
    const Description description(layout);
    put(description.bytes());
    pad(description.bytes().size());
  }
  for (std::size_t i = 0; i < layout.datasets.size(); ++i) {
    const std::uint64_t size = bytes_of(layout.datasets[i]);
    std::uint64_t written = 0;
    source(i, [&](std::span<const std::byte> piece) {
      written += piece.size();
      if (written <= size) sink(piece);
    });
    if (written != size) mistaken("expected ", size, " bytes of ", layout.datasets[i].path, ", got ", written);
    pad(size);
  }
}

}  // namespace paligemma
