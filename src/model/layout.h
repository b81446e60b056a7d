// How the formats beside Hugging Face's name and store the tensors of PaliGemma: one table a format, which serves
// reading and writing.
//
// A row says which array of the file holds a tensor and how its axes lie, in the letters of the file's axes:
//
//     "lndh -> (nh)d"    a matrix of n*h rows and d columns; the array holds all layers, and heads apart
//     "l1kdh -> (kh)d"   the second of two matrices that share an array
//
// The letters are the same everywhere, so a size that two arrays disagree about is seen:
//
//     decoder  l layers, n heads, k key-value heads, h head size, d width, f mlp, v vocabulary
//     vision   b layers, m heads, g head size, a = m g, e width, u mlp, p positions, i and j pixels of a patch, c
//     colors
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/streamed_array.h"
#include "model/array_store.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace paligemma {

enum class Family { both, gemma1, gemma2 };

struct LayoutRow {
  std::string_view tensor;  // canonical name (checkpoint.h), * for the layer
  std::string_view array;   // * for the layer, where each has an array of its own
  std::string_view axes;
  Family family = Family::both;  // in whose files the row counts
};

struct Layout {
  std::string_view name;  // of the format, for messages
  std::span<const LayoutRow> rows;
  // What * stands for in the name of an array of layer i.
  std::string (*layer_name)(std::int64_t i);
};

const Layout& big_vision_layout();  // npz: google-research/big_vision models/ppp/gemma.py, models/vit.py
const Layout& keras_layout();       // KerasHub: keras_hub models/pali_gemma

// Sizes by letter; 0 for those that are not known.
class AxisSizes {
 public:
  std::int64_t& operator[](char letter) { return sizes_[static_cast<std::size_t>(letter - 'a')]; }
  std::int64_t operator[](char letter) const { return sizes_[static_cast<std::size_t>(letter - 'a')]; }

 private:
  std::array<std::int64_t, 26> sizes_{};
};

AxisSizes axis_sizes(const Config& config);

// "l1kdh -> (kh)d" taken apart.
struct Axes {
  std::string fixed;                // what leads in the file: the layer's letter, digits
  std::string file;                 // the other letters, as they lie in the file
  std::vector<std::string> tensor;  // the letters of each dimension of the tensor

  bool as_in_file() const;  // nothing is transposed
};
Axes parse_axes(std::string_view axes);

// Elements (row, column) of a matrix lie at rows[row] + columns[column].
struct Offsets {
  std::vector<std::int64_t> rows, columns;
};
// Of the array that has the axes `order`, with `first` of them making the rows, in one that has them in the order of
// `lying`.
Offsets offsets(std::string_view order, std::size_t first, std::string_view lying, const AxisSizes& sizes);
// Copies rows [first, first + count) of such a matrix; an element has `element` (2 or 4) bytes.
void gather(const std::byte* from, const Offsets& offsets, std::int64_t first, std::int64_t count, int element,
            std::byte* to);

// The array of a row and layer.
std::string array_name(const Layout& layout, const LayoutRow& row, std::int64_t layer);
std::string tensor_name(const LayoutRow& row, std::int64_t layer);
bool has_layers(const LayoutRow& row);
// The letter of the number of layers that a row with layers has.
char layer_letter(const LayoutRow& row);

// A file understood by its layout.
struct LaidOut {
  TensorSource source;  // lives as long as what `arrays` reads from
  AxisSizes sizes;      // what the arrays' shapes say
  bool gemma2 = false;
  // array -> the tensors that it holds, with * where they are many
  std::map<std::string, std::vector<std::string>, std::less<>> meanings;
};

// Throws Error{model, "tensor_missing" | "tensor_shape"} for an array that is missing or whose shape disagrees with
// another one's; both are shown.
LaidOut lay_out(const Layout& layout, const ArrayStore& arrays);

// The other way round: the arrays that hold `config`'s tensors, in the order of the table, with the names of the file.
// `source` must outlive them. An array of tensors of several types has the type that holds them all, f32.
std::vector<StreamedArray> layout_arrays(const Layout& layout, const Config& config, const TensorSource& source);

}  // namespace paligemma
