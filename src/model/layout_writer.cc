// Arrays of a file out of tensors, by the tables of layout.h.
#include <algorithm>
#include <memory>

#include "model/layout.h"
#include "model/tensor_sources.h"

namespace paligemma {
namespace {

// Tensors that follow each other in an array, and how each is cut into pieces: by rows of the tensor where nothing is
// transposed, else by the first of the array's own axes.
class ArrayWriter {
 public:
  ArrayWriter(const LayoutRow& row, const Config& config, const TensorSource& source)
      : source_(source), axes_(parse_axes(row.axes)), sizes_(axis_sizes(config)) {
    for (const std::string& letters : axes_.tensor) order_ += letters;
    rows_ = sizes_[axes_.file[0]];
    std::int64_t row_bytes = 4;
    for (const char letter : axes_.file.substr(1)) row_bytes *= sizes_[letter];
    at_once_ = std::clamp<std::int64_t>(kPieceBytes / row_bytes, 1, rows_);
  }

  void add(std::string tensor) { tensors_.push_back(std::move(tensor)); }

  StreamedArray array(std::string name, const LayoutRow& row, std::int64_t sharing) {
    dtype_ = source_.dtype(tensors_.front());
    for (const std::string& tensor : tensors_)
      if (source_.dtype(tensor) != dtype_) dtype_ = DType::f32;
    held_ = retyped(source_, dtype_);
    StreamedArray out{.name = std::move(name), .dtype = dtype_};
    for (const char c : row.axes.substr(0, row.axes.find(' ')))
      out.shape.push_back(c >= 'a' && c <= 'z' ? sizes_[c] : sharing);
    out.pieces = tensors_.size() * pieces_each();
    return out;
  }

  std::span<const std::byte> piece(std::size_t i) {
    const std::string& tensor = tensors_[i / pieces_each()];
    const std::int64_t first = static_cast<std::int64_t>(i % pieces_each()) * at_once_;
    const std::int64_t count = std::min(at_once_, rows_ - first);
    if (i > 0 && first == 0) source_.release(tensors_[i / pieces_each() - 1]);
    if (axes_.as_in_file()) {
      // The tensor's first dimension may be several of the array's axes.
      const std::int64_t split = (*held_.shape(tensor))[0] / rows_;
      return held_.rows(tensor, first * split, count * split).bytes;
    }
    if (first == 0) {
      whole_ = held_.rows(tensor, 0, (*held_.shape(tensor))[0]).bytes;
      if (offsets_.rows.empty()) offsets_ = offsets(axes_.file, 1, order_, sizes_);
    }
    gathered_.resize(static_cast<std::size_t>(count) * offsets_.columns.size() *
                     static_cast<std::size_t>(byte_size(dtype_)));
    gather(whole_.data(), offsets_, first, count, byte_size(dtype_), gathered_.data());
    return gathered_;
  }

 private:
  std::size_t pieces_each() const { return static_cast<std::size_t>((rows_ + at_once_ - 1) / at_once_); }

  const TensorSource& source_;
  Axes axes_;
  AxisSizes sizes_;
  std::string order_;  // the tensor's letters
  std::int64_t rows_ = 0, at_once_ = 0;
  std::vector<std::string> tensors_;
  DType dtype_ = DType::f32;
  TensorSource held_;
  std::span<const std::byte> whole_;  // the tensor that is being cut
  Offsets offsets_;
  std::vector<std::byte> gathered_;
};

}  // namespace

std::vector<StreamedArray> layout_arrays(const Layout& layout, const Config& config, const TensorSource& source) {
  std::vector<StreamedArray> out;
  const AxisSizes sizes = axis_sizes(config);
  const auto counts = [&](const LayoutRow& row) {
    return row.family == Family::both || (row.family == Family::gemma2) == config.decoder.gemma2;
  };
  for (const LayoutRow& row : layout.rows) {
    if (!counts(row) || parse_axes(row.axes).fixed.find('1') != std::string::npos)
      continue;  // written with its first half
    const bool array_each = row.array.find('*') != row.array.npos;
    const std::int64_t layers = has_layers(row) ? sizes[layer_letter(row)] : 1;
    std::vector<const LayoutRow*> sharing;
    for (const LayoutRow& other : layout.rows)
      if (other.array == row.array && counts(other)) sharing.push_back(&other);
    for (std::int64_t first = 0; first < layers; first += array_each ? 1 : layers) {
      const auto writer = std::make_shared<ArrayWriter>(row, config, source);
      for (std::int64_t layer = first; layer < (array_each ? first + 1 : layers); ++layer)
        for (const LayoutRow* each : sharing) writer->add(tensor_name(*each, layer));
      StreamedArray array =
          writer->array(array_name(layout, row, first), row, static_cast<std::int64_t>(sharing.size()));
      array.piece = [writer](std::size_t i) { return writer->piece(i); };
      array.done = [] {};
      out.push_back(std::move(array));
    }
  }
  return out;
}

}  // namespace paligemma
