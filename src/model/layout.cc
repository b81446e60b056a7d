#include "model/layout.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMaxLayers = 1024;  // what keeps a file of ones from becoming millions of tensors

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string join_letters(const std::vector<std::string>& dimensions) {
  std::string all;
  for (const std::string& letters : dimensions) all += letters;
  return all;
}

std::int64_t size_of_axes(std::string_view letters, const AxisSizes& sizes) {
  std::int64_t out = 1;
  for (const char letter : letters) out *= sizes[letter];
  return out;
}

std::string with_layer(std::string_view name, std::string_view layer) {
  const std::size_t star = name.find('*');
  return star == name.npos
             ? std::string(name)
             : std::string(name.substr(0, star)) + std::string(layer) + std::string(name.substr(star + 1));
}

// Offsets over the axes `order`, row-major, in an array whose axes are those of `lying`.
std::vector<std::int64_t> walk(std::string_view order, std::string_view lying, const AxisSizes& sizes) {
  std::vector<std::int64_t> out{0};
  for (const char letter : order) {
    const std::int64_t stride = size_of_axes(lying.substr(lying.find(letter) + 1), sizes);
    std::vector<std::int64_t> finer;
    finer.reserve(out.size() * static_cast<std::size_t>(sizes[letter]));
    for (const std::int64_t offset : out)
      for (std::int64_t i = 0; i < sizes[letter]; ++i) finer.push_back(offset + i * stride);
    out = std::move(finer);
  }
  return out;
}

template <class T>
void gather_tiles(const std::byte* from, std::span<const std::int64_t> rows, std::span<const std::int64_t> columns,
                  std::byte* to) {
  constexpr std::size_t kTile = 32;  // of both sides a few KiB, wherever they are contiguous
  for (std::size_t c0 = 0; c0 < columns.size(); c0 += kTile)
    for (std::size_t r0 = 0; r0 < rows.size(); r0 += kTile)
      for (std::size_t r = r0; r < std::min(r0 + kTile, rows.size()); ++r)
        for (std::size_t c = c0; c < std::min(c0 + kTile, columns.size()); ++c)
          std::memcpy(to + (r * columns.size() + c) * sizeof(T),
                      from + static_cast<std::size_t>(rows[r] + columns[c]) * sizeof(T), sizeof(T));
}

}  // namespace

Axes parse_axes(std::string_view axes) {
  const std::size_t arrow = axes.find(" -> ");
  Axes out;
  bool group = false;
  for (const char c : axes.substr(arrow + 4)) {
    if (c == '(' || c == ')') {
      group = c == '(';
      if (group) out.tensor.emplace_back();
    } else if (group) {
      out.tensor.back() += c;
    } else {
      out.tensor.emplace_back(1, c);
    }
  }
  const std::string kept = join_letters(out.tensor);
  for (const char c : axes.substr(0, arrow)) (kept.find(c) == kept.npos ? out.fixed : out.file) += c;
  return out;
}

bool Axes::as_in_file() const { return join_letters(tensor) == file; }

Offsets offsets(std::string_view order, std::size_t first, std::string_view lying, const AxisSizes& sizes) {
  return {walk(order.substr(0, first), lying, sizes), walk(order.substr(first), lying, sizes)};
}

void gather(const std::byte* from, const Offsets& offsets, std::int64_t first, std::int64_t count, int element,
            std::byte* to) {
  const auto rows = std::span(offsets.rows).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  if (element == 2)
    gather_tiles<std::uint16_t>(from, rows, offsets.columns, to);
  else
    gather_tiles<std::uint32_t>(from, rows, offsets.columns, to);
}

AxisSizes axis_sizes(const Config& config) {
  AxisSizes sizes;
  const DecoderConfig& d = config.decoder;
  sizes['l'] = d.layers, sizes['n'] = d.heads, sizes['k'] = d.kv_heads, sizes['h'] = d.head_size;
  sizes['d'] = d.width, sizes['f'] = d.mlp, sizes['v'] = d.vocabulary;
  const VisionConfig& v = config.vision;
  sizes['b'] = v.layers, sizes['m'] = v.heads, sizes['g'] = v.head_size(), sizes['a'] = v.width;
  sizes['e'] = v.width, sizes['u'] = v.mlp, sizes['p'] = v.tokens(), sizes['i'] = v.patch, sizes['j'] = v.patch;
  sizes['c'] = 3;
  return sizes;
}

std::string array_name(const Layout& layout, const LayoutRow& row, std::int64_t layer) {
  return with_layer(row.array, layout.layer_name(layer));
}

std::string tensor_name(const LayoutRow& row, std::int64_t layer) {
  return with_layer(row.tensor, std::to_string(layer));
}

bool has_layers(const LayoutRow& row) { return row.tensor.find('*') != row.tensor.npos; }

char layer_letter(const LayoutRow& row) { return row.tensor.starts_with("vision_tower") ? 'b' : 'l'; }

namespace {

// Where a tensor lies.
struct Place {
  const LayoutRow* row = nullptr;
  std::string array{};
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape{};
  std::uint64_t begin = 0;  // of its first element, in elements of the array
};

// Understands a file row by row: sizes first, then places.
class LayoutReader {
 public:
  LayoutReader(const Layout& layout, const ArrayStore& store) : layout_(layout), store_(store) {}

  LaidOut read() {
    for (const LayoutRow& row : layout_.rows)
      out_.gemma2 |= row.family == Family::gemma2 && is_there(array_name(layout_, row, 0)) && !in_gemma1(row.array);
    for (const LayoutRow& row : layout_.rows)
      if (counts(row)) bind(row);
    for (const LayoutRow& row : layout_.rows)
      if (counts(row)) place(row);
    return std::move(out_);
  }

  std::map<std::string, Place, std::less<>> places;

 private:
  bool in_gemma1(std::string_view array) const {
    return std::ranges::any_of(
        layout_.rows, [&](const LayoutRow& row) { return row.array == array && row.family != Family::gemma2; });
  }

  bool counts(const LayoutRow& row) const {
    return row.family == Family::both || (row.family == Family::gemma2) == out_.gemma2;
  }

  // One array for all layers, or one for each.
  bool array_each(const LayoutRow& row) const { return row.array.find('*') != row.array.npos; }

  // Of whatever type.
  bool is_there(const std::string& name) const { return store_.arrays.contains(name) || store_.others.contains(name); }

  const StoredArray& find(const std::string& name) const {
    const auto found = store_.arrays.find(name);
    if (found != store_.arrays.end()) return found->second;
    const auto other = store_.others.find(name);
    fail(ErrorKind::model, "tensor_missing", "cannot load the model: ", store_.where, ": expected an array ", name,
         ", got ", other == store_.others.end() ? "none" : "one of the type " + other->second);
  }

  void set(char letter, std::int64_t size, const std::string& array) {
    std::string& who = who_[static_cast<std::size_t>(letter - 'a')];
    if (size <= 0)
      fail(ErrorKind::model, "tensor_shape", "cannot load the model: ", store_.where, ": array ", array, " is empty");
    if (!who.empty() && out_.sizes[letter] != size)
      fail(ErrorKind::model, "tensor_shape", "cannot load the model: ", store_.where, ": array ", array, " says ", size,
           " ", meaning(letter), ", array ", who, " says ", out_.sizes[letter]);
    if (who.empty()) out_.sizes[letter] = size, who = array;
  }

  static std::string_view meaning(char letter) {
    switch (letter) {
      case 'l': return "layers";
      case 'n': return "heads";
      case 'k': return "key-value heads";
      case 'h': return "as the head size";
      case 'd': return "as the width";
      case 'f': return "as the mlp size";
      case 'v': return "rows of the vocabulary";
      case 'b': return "vision layers";
      case 'm': return "vision heads";
      case 'g': return "as the vision head size";
      case 'a': return "as the vision heads together";
      case 'e': return "as the vision width";
      case 'u': return "as the vision mlp size";
      case 'p': return "positions";
      case 'c': return "colors";
      default: return "as the patch size";
    }
  }

  void bind(const LayoutRow& row) {
    if (!array_each(row)) return bind(row, std::string(row.array));
    std::int64_t layers = 0;
    while (layers <= kMaxLayers && is_there(array_name(layout_, row, layers)))
      bind(row, array_name(layout_, row, layers++));
    if (layers == 0) find(array_name(layout_, row, 0));
    set(layer_letter(row), layers, std::string(row.array));
    check_layers(row);
  }

  void check_layers(const LayoutRow& row) const {
    if (const std::int64_t layers = out_.sizes[layer_letter(row)]; has_layers(row) && layers > kMaxLayers)
      fail(ErrorKind::model, "tensor_shape", "cannot load the model: ", store_.where, ": array ", row.array,
           ": expected at most ", kMaxLayers, " layers, got ", layers);
  }

  void bind(const LayoutRow& row, const std::string& array) {
    const StoredArray& stored = find(array);
    const std::string_view letters = row.axes.substr(0, row.axes.find(' '));
    if (stored.shape.size() != letters.size())
      fail(ErrorKind::model, "tensor_shape", "cannot load the model: ", store_.where, ": array ", array, ": expected ",
           letters.size(), " dimensions, got ", stored.shape.size());
    for (std::size_t i = 0; i < letters.size(); ++i) {
      if (!is_digit(letters[i])) {
        set(letters[i], stored.shape[i], array);
      } else if (stored.shape[i] != sharing(row, i)) {
        fail(ErrorKind::model, "tensor_shape", "cannot load the model: ", store_.where, ": array ", array,
             ": expected ", sharing(row, i), " as the size of dimension ", i, ", got ", stored.shape[i]);
      }
    }
    check_layers(row);
  }

  // How many tensors lie in the row's array, by the digit at `place` of its axes.
  std::int64_t sharing(const LayoutRow& row, std::size_t place) const {
    char highest = '0';
    for (const LayoutRow& other : layout_.rows)
      if (other.array == row.array) highest = std::max(highest, other.axes[place]);
    return highest - '0' + 1;
  }

  void place(const LayoutRow& row) {
    const Axes axes = parse_axes(row.axes);
    const std::int64_t layers = has_layers(row) ? out_.sizes[layer_letter(row)] : 1;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      Place place{.row = &row, .array = array_name(layout_, row, layer)};
      place.dtype = store_.arrays.find(place.array)->second.dtype;
      for (const std::string& letters : axes.tensor) place.shape.push_back(size_of_axes(letters, out_.sizes));
      std::int64_t index = 0;
      for (std::size_t i = 0; i < axes.fixed.size(); ++i)
        index = is_digit(axes.fixed[i]) ? index * sharing(row, i) + (axes.fixed[i] - '0') : layer;
      place.begin = static_cast<std::uint64_t>(index * size_of_axes(axes.file, out_.sizes));
      std::vector<std::string>& meaning = out_.meanings[place.array];
      if (meaning.empty() || meaning.back() != row.tensor)
        meaning.push_back(array_each(row) ? tensor_name(row, layer) : std::string(row.tensor));
      places.emplace(tensor_name(row, layer), std::move(place));
    }
  }

  const Layout& layout_;
  const ArrayStore& store_;
  LaidOut out_;
  std::array<std::string, 26> who_;  // the array that said a letter's size
};

// Gives rows of tensors. A transposed tensor is read whole, which is one layer's part of its array, and kept until
// another one is asked for.
class Rows {
 public:
  Rows(const ArrayStore& store, const AxisSizes& sizes, std::map<std::string, Place, std::less<>> places)
      : store_(store), sizes_(sizes), places_(std::move(places)) {}

  const Place* find(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &found->second;
  }

  HostTensor rows(std::string_view name, std::int64_t first, std::int64_t count) {
    const Place& place = *find(name);
    const auto element = static_cast<std::uint64_t>(byte_size(place.dtype));
    std::uint64_t row = element;
    for (std::size_t i = 1; i < place.shape.size(); ++i) row *= static_cast<std::uint64_t>(place.shape[i]);
    HostTensor out{place.dtype, place.shape, {}};
    out.shape[0] = count;
    const auto bytes = static_cast<std::uint64_t>(count) * row;
    const Axes axes = parse_axes(place.row->axes);
    if (axes.as_in_file()) {
      current_ = nullptr;
      out.bytes = store_.read(place.array, place.begin * element + static_cast<std::uint64_t>(first) * row, bytes);
      return out;
    }
    if (current_ != &place) {
      slice_ = store_.read(place.array, place.begin * element, static_cast<std::uint64_t>(place.shape[0]) * row);
      offsets_ = offsets(join_letters(axes.tensor), axes.tensor[0].size(), axes.file, sizes_);
      current_ = &place;
    }
    gathered_.resize(bytes);
    gather(slice_.data(), offsets_, first, count, static_cast<int>(element), gathered_.data());
    out.bytes = gathered_;
    return out;
  }

  void release(std::string_view name) {
    current_ = nullptr;
    store_.release(find(name)->array);
  }

 private:
  ArrayStore store_;
  AxisSizes sizes_;
  std::map<std::string, Place, std::less<>> places_;
  const Place* current_ = nullptr;  // whose elements slice_ holds
  std::span<const std::byte> slice_;
  Offsets offsets_;
  std::vector<std::byte> gathered_;
};

}  // namespace

LaidOut lay_out(const Layout& layout, const ArrayStore& arrays) {
  LayoutReader reader(layout, arrays);
  LaidOut out = reader.read();
  const auto rows = std::make_shared<Rows>(arrays, out.sizes, std::move(reader.places));
  out.source = {.shape = [rows](std::string_view name) -> std::optional<std::vector<std::int64_t>> {
                  const Place* place = rows->find(name);
                  if (!place) return {};
                  return place->shape;
                },
                .dtype = [rows](std::string_view name) { return rows->find(name)->dtype; },
                .rows = [rows](std::string_view name, std::int64_t first,
                               std::int64_t count) { return rows->rows(name, first, count); },
                .release = [rows](std::string_view name) { rows->release(name); }};
  return out;
}

}  // namespace paligemma
