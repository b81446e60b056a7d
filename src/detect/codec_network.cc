#include "detect/codec_network.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/error.h"
#include "base/random.h"

namespace paligemma {
namespace {

using Step = Convolution::Step;
using ArrayShape = std::vector<std::int64_t>;

constexpr int kCodesInText = 128;            // <seg000> to <seg127>
constexpr std::int64_t kMaxChannels = 4096;  // 32 times the original's; holds a layer's output to 64 MiB
constexpr std::int64_t kMaxKernel = 8;
constexpr std::int64_t kMaxPatch =
    1 << 14;  // 3.5 times the original's; holds what the products of a layer take to 64 MiB
constexpr std::uint64_t kMaxCodecBytes = 1 << 28;  // of an npz, unpacked
constexpr int kAny = -1;

struct StageShape {
  const char* name;
  Step step;
  int kernel;  // kAny: taken from the arrays
  bool relu;
  bool residual = false;
  // Of a network that is made: the kernel where any would do, and by how much there are fewer channels than in the
  // residual blocks.
  int made_kernel = 0, fewer = 1;
};
constexpr StageShape kEncoder[] = {
    {"encoder.0", Step::half, kAny, true, false, 4, 8}, {"encoder.2", Step::half, kAny, true, false, 4, 4},
    {"encoder.4", Step::half, kAny, true, false, 4, 2}, {"encoder.6", Step::half, kAny, true, false, 4},
    {"encoder.8", Step::same, 3, false, true},          {"encoder.9", Step::same, 3, false, true},
    {"encoder.10", Step::same, kAny, false, false, 1},
};
constexpr StageShape kDecoder[] = {
    {"decoder.0", Step::same, 1, true},
    {"decoder.2", Step::same, 3, false, true},
    {"decoder.3", Step::same, 3, false, true},
    {"decoder.4", Step::twice, 4, true, false, 4, 2},
    {"decoder.6", Step::twice, 4, true, false, 4, 4},
    {"decoder.8", Step::twice, 4, true, false, 4, 4},
    {"decoder.10", Step::twice, 4, true, false, 4, 8},
    {"decoder.12", Step::same, 1, false},
};

// The arrays of a codec file, with the checks that every layer needs.
class Arrays {
 public:
  Arrays(const CodecFile& file, std::string_view where) : where_(where), file_(file) {}

  // The tensor of that name. A side of kAny in `expected` stands for any from 1 to kMaxChannels.
  const HostTensor& get(const std::string& name, const ArrayShape& expected) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) {
      const auto other = file_.safetensors.others.find(name);
      refuse(name, "expected f32, f16 or bf16 numbers, got " +
                       (other == file_.safetensors.others.end() ? "none" : other->second.dtype));
    }
    const ArrayShape& shape = found->second.shape;
    const auto fits = [](std::int64_t side, std::int64_t wanted) {
      return wanted == kAny ? side >= 1 && side <= kMaxChannels : side == wanted;
    };
    if (!std::equal(shape.begin(), shape.end(), expected.begin(), expected.end(), fits))
      refuse(name, "expected shape " + shape_text(expected) + " (-1: any), got " + shape_text(shape));
    return found->second;
  }

  bool any_below(std::string_view prefix) const {
    const auto has = [&](const auto& arrays) {
      const auto first = arrays.lower_bound(prefix);
      return first != arrays.end() && first->first.starts_with(prefix);
    };
    return has(file_.tensors) || has(file_.safetensors.others);
  }

  [[noreturn]] void refuse(const std::string& name, const std::string& why) const {
    fail(ErrorKind::model, "codec", "reading the mask codec: ", where_, ": ", name, ": ", why);
  }

 private:
  std::string_view where_;
  const CodecFile& file_;
};

// Calls body(place in the array, place in the matrix) for each weight.
template <class Body>
void for_weights(const Convolution& of, const Body& body) {
  const std::int64_t taps = of.kernel * of.kernel;
  const bool twice = of.step == Step::twice;
  for (std::int64_t o = 0; o < of.out; ++o)
    for (std::int64_t i = 0; i < of.in; ++i)
      for (std::int64_t tap = 0; tap < taps; ++tap)
        body(static_cast<std::size_t>((twice ? i * of.out + o : o * of.in + i) * taps + tap),
             static_cast<std::size_t>(twice ? (tap * of.out + o) * of.in + i : (o * taps + tap) * of.in + i));
}

void place(Convolution& convolution, const HostTensor& weight, const HostTensor& bias, Backend& backend) {
  const std::int64_t taps = convolution.kernel * convolution.kernel;
  const bool twice = convolution.step == Step::twice;
  const std::int64_t rows = twice ? taps * convolution.out : convolution.out;
  const std::int64_t cols = twice ? convolution.in : taps * convolution.in;
  const std::vector<float> matrix = matrix_of(convolution, weight);
  convolution.weight = backend.make_matrix(rows, cols, DType::f32);
  backend.place_rows(convolution.weight, 0, {DType::f32, {rows, cols}, std::as_bytes(std::span(matrix))});
  convolution.bias = backend.make_vector(bias, 1, convolution.out);
}

// Reads `name`.weight and `name`.bias, (out). An `out` and a `kernel` of kAny are taken from the arrays.
Convolution read_convolution(const Arrays& arrays, Backend& backend, const std::string& name, std::int64_t in,
                             std::int64_t out, int kernel, Step step) {
  const bool twice = step == Step::twice;
  const HostTensor& weight =
      arrays.get(name + ".weight", twice ? ArrayShape{in, out, kernel, kernel} : ArrayShape{out, in, kernel, kernel});
  Convolution read{.in = in, .out = weight.shape[twice ? 1 : 0], .kernel = weight.shape[2], .step = step};
  if (weight.shape[2] != weight.shape[3] || weight.shape[2] > kMaxKernel)
    arrays.refuse(name + ".weight", join("expected a square kernel of at most ", kMaxKernel, " by ", kMaxKernel,
                                         ", got ", shape_text(weight.shape)));
  if (read.kernel * read.kernel * (twice ? read.out : in) > kMaxPatch)
    arrays.refuse(name + ".weight",
                  join("expected at most ", kMaxPatch, " numbers under a kernel, got ", shape_text(weight.shape)));
  place(read, weight, arrays.get(name + ".bias", {read.out}), backend);
  return read;
}

// make(name, in, out, kernel, shape) gives each layer. `channels` goes into the first one, `last` comes out of the last
// one and `middle` out of the others.
template <class Make>
std::vector<CodecStage> make_stages(std::span<const StageShape> shapes, std::int64_t channels, std::int64_t middle,
                                    std::int64_t last, const Make& make) {
  std::vector<CodecStage> stages;
  for (const StageShape& shape : shapes) {
    CodecStage stage{.layers = {}, .relu = shape.relu};
    const auto add = [&](const std::string& name, std::int64_t in, std::int64_t out, int kernel) {
      stage.layers.push_back({name, make(name, in, out, kernel, shape)});
      return stage.layers.back().convolution.out;
    };
    const std::string name = shape.name;
    if (shape.residual) {
      const std::int64_t first = add(name + ".net.0", channels, middle, shape.kernel);
      const std::int64_t second = add(name + ".net.2", first, middle, shape.kernel);
      add(name + ".net.4", second, channels, 1);
    } else {
      channels = add(name, channels, &shape == &shapes.back() ? last : middle, shape.kernel);
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

void add_array(CodecFile& file, const std::string& name, ArrayShape shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  NpzArray& array = file.npz[name];
  array.storage.assign(bytes.begin(), bytes.end());
  array.tensor = {DType::f32, std::move(shape), array.storage};
  file.tensors.emplace(name, array.tensor);
}

// Uniform, so that what comes out of relus varies as much as what goes in. A residual block begins as almost nothing.
void add_random_layer(CodecFile& file, const std::string& name, const Convolution& of, bool ends_block,
                      std::uint64_t seed) {
  const double taps = static_cast<double>(of.kernel * of.kernel) / (of.step == Step::twice ? 4 : 1);
  const double bound = std::sqrt(6 / (taps * static_cast<double>(of.in))) * (ends_block ? 0.1 : 1);
  std::vector<float> weight(static_cast<std::size_t>(of.kernel * of.kernel * of.in * of.out));
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(bound * (2 * uniform(seed, i) - 1));
  add_array(file, name + ".weight", array_shape(of), weight);
  add_array(file, name + ".bias", {of.out}, std::vector<float>(static_cast<std::size_t>(of.out)));
}

}  // namespace

CodecFile read_codec_file(FileBytes file, std::string_view where) {
  CodecFile out;
  if (file.text().starts_with("PK")) {
    out.npz = read_npz(file, where, kMaxCodecBytes);
    for (const auto& [name, array] : out.npz) out.tensors.emplace(name, array.tensor);
    return out;
  }
  if (!file.text().substr(0, 9).ends_with('{'))  // behind the length of the header
    fail(ErrorKind::model, "codec", "reading the mask codec: ", where, ": expected an npz or safetensors file");
  out.safetensors = read_safetensors(std::move(file), where);
  out.tensors = out.safetensors.tensors;
  return out;
}

CodecNetwork read_codec_network(const CodecFile& file, std::string_view where, Backend& backend) {
  const Arrays arrays(file, where);
  const std::string name(CodecNetwork::kCodebook);
  const HostTensor& codebook = arrays.get(name, {kAny, kAny});
  CodecNetwork network{.codes = static_cast<int>(codebook.shape[0]), .width = static_cast<int>(codebook.shape[1])};
  if (network.codes < kCodesInText)
    arrays.refuse(name, join("expected at least ", kCodesInText, " codes, got ", network.codes));
  network.codebook.resize(std::size_t(network.codes) * network.width);
  for (std::size_t i = 0; i < network.codebook.size(); ++i) network.codebook[i] = codebook.element(i);
  const auto read = [&](const std::string& layer, std::int64_t in, std::int64_t out, int kernel, const StageShape& of) {
    return read_convolution(arrays, backend, layer, in, out, kernel, of.step);
  };
  network.decoder = make_stages(kDecoder, network.width, kAny, 1, read);
  if (arrays.any_below("encoder.")) network.encoder = make_stages(kEncoder, 1, kAny, network.width, read);
  return network;
}

CodecFile make_codec_file(const CodecSizes& sizes, std::uint64_t seed) {
  CodecFile file;
  std::uint64_t layers = 0;
  const auto make = [&](const std::string& name, std::int64_t in, std::int64_t out, int kernel, const StageShape& of) {
    Convolution made{.in = in,
                     .out = std::max<std::int64_t>(1, out / of.fewer),
                     .kernel = kernel == kAny ? of.made_kernel : kernel,
                     .step = of.step};
    add_random_layer(file, name, made, of.residual && kernel == 1, splitmix64(seed, layers++));
    return made;
  };
  make_stages(kEncoder, 1, sizes.channels, sizes.width, make);
  make_stages(kDecoder, sizes.width, sizes.channels, 1, make);
  const int codes = std::max(sizes.codes, kCodesInText);
  const std::size_t different = std::size_t(sizes.codes) * sizes.width;
  std::vector<float> codebook(std::size_t(codes) * sizes.width);
  for (std::size_t i = 0; i < codebook.size(); ++i)
    codebook[i] = static_cast<float>(2 * uniform(splitmix64(seed, layers), i % different) - 1);
  add_array(file, std::string(CodecNetwork::kCodebook), {codes, sizes.width}, codebook);
  return file;
}

std::vector<std::int64_t> array_shape(const Convolution& of) {
  return of.step == Step::twice ? ArrayShape{of.in, of.out, of.kernel, of.kernel}
                                : ArrayShape{of.out, of.in, of.kernel, of.kernel};
}

std::vector<float> matrix_of(const Convolution& convolution, const HostTensor& array) {
  std::vector<float> matrix(array.elements());
  for_weights(convolution, [&](std::size_t from, std::size_t to) { matrix[to] = array.element(from); });
  return matrix;
}

std::vector<float> array_of(const Convolution& convolution, std::span<const float> matrix) {
  std::vector<float> array(matrix.size());
  for_weights(convolution, [&](std::size_t to, std::size_t from) { array[to] = matrix[from]; });
  return array;
}

View run_stages(Pass& pass, const std::vector<CodecStage>& stages, ConstView maps, std::int64_t side) {
  View out;
  for (const CodecStage& stage : stages) {
    out = convolve(pass, maps, side, stage.layers[0].convolution);
    side = side_after(stage.layers[0].convolution.step, side);
    for (std::size_t i = 1; i < stage.layers.size(); ++i) {
      relu_in_place(pass, out);
      out = convolve(pass, out, side, stage.layers[i].convolution);
    }
    if (stage.layers.size() > 1) add_in_place(pass, maps, out);
    if (stage.relu) relu_in_place(pass, out);
    maps = out;
  }
  return out;
}

int nearest_code(std::span<const float> codebook, std::span<const float> feature) {
  constexpr std::size_t kTogether = 8;  // numbers, before a row that is too far already is left
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t row = 0; row < codebook.size(); row += feature.size()) {
    double distance = 0;
    for (std::size_t first = 0; first < feature.size() && distance < least; first += kTogether)
      for (std::size_t i = first; i < std::min(first + kTogether, feature.size()); ++i) {
        const double difference = double{feature[i]} - codebook[row + i];
        distance += difference * difference;
      }
    if (distance < least) best = row, least = distance;
  }
  return static_cast<int>(best / feature.size());
}

}  // namespace paligemma
