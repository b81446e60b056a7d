#include "detect/mask_codec.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace paligemma {
namespace {

using Layer = MaskCodec::Layer;
using Shape = std::vector<std::int64_t>;

constexpr int kCodesInText = 128;             // <seg000> to <seg127>
constexpr std::int64_t kMaxChannels = 4096;   // 32 times the original's; holds a layer's output to 64 MiB
constexpr std::uint64_t kMaxBytes = 1 << 28;  // of an npz, unpacked

// The arrays of a codec file, with the checks that every layer needs.
class Arrays {
 public:
  Arrays(FileBytes file, std::string_view where) : where_(where), file_(read_codec_file(std::move(file), where)) {}

  // The tensor of that name. A side of -1 in `expected` stands for any from 1 to kMaxChannels.
  const HostTensor& get(const std::string& name, const Shape& expected) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) {
      const auto other = file_.safetensors.others.find(name);
      refuse(name, "expected f32, f16 or bf16 numbers, got " +
                       (other == file_.safetensors.others.end() ? "none" : other->second.dtype));
    }
    const Shape& shape = found->second.shape;
    const auto fits = [](std::int64_t side, std::int64_t wanted) {
      return wanted < 0 ? side >= 1 && side <= kMaxChannels : side == wanted;
    };
    if (!std::equal(shape.begin(), shape.end(), expected.begin(), expected.end(), fits))
      refuse(name, "expected shape " + shape_text(expected) + " (-1: any), got " + shape_text(shape));
    return found->second;
  }

  [[noreturn]] void refuse(const std::string& name, const std::string& why) const {
    fail(ErrorKind::model, "codec", "reading the mask codec: ", where_, ": ", name, ": ", why);
  }

 private:
  std::string_view where_;
  CodecFile file_;
};

// Reads `name`.weight, (out, in, kernel, kernel) or (in, out, 4, 4) when `up`, and `name`.bias, (out). An `out` of -1
// is taken from the arrays.
Layer read_layer(const Arrays& arrays, const std::string& name, int in, int out, int kernel, bool up = false) {
  const HostTensor& weight =
      arrays.get(name + ".weight", up ? Shape{in, out, kernel, kernel} : Shape{out, in, kernel, kernel});
  Layer layer{.in = in, .out = static_cast<int>(weight.shape[up ? 1 : 0]), .kernel = kernel, .up = up};
  const HostTensor& bias = arrays.get(name + ".bias", {layer.out});
  const std::size_t taps = std::size_t(kernel) * kernel, outs = layer.out, ins = in;
  layer.bias.resize(outs);
  layer.weight.resize(taps * ins * outs);
  for (std::size_t o = 0; o < outs; ++o) {
    layer.bias[o] = bias.element(static_cast<std::size_t>(o));
    for (std::size_t i = 0; i < ins; ++i)
      for (std::size_t tap = 0; tap < taps; ++tap)
        layer.weight[(tap * ins + i) * outs + o] = weight.element((up ? i * outs + o : o * ins + i) * taps + tap);
  }
  return layer;
}

// A square map, (side, side, channels).
struct Map {
  int side = 0, channels = 0;
  std::vector<float> values;

  float* at(int y, int x) { return &values[(std::size_t(y) * side + x) * channels]; }
  const float* at(int y, int x) const { return &values[(std::size_t(y) * side + x) * channels]; }
};

// The input row (or column) that tap `k` of output `o` reads, or -1.
int source(const Layer& layer, int o, int k, int side) {
  if (!layer.up) {
    const int i = o + k - layer.kernel / 2;
    return i < side ? i : -1;
  }
  const int twice = o + 1 - k;  // output 2i - 1 + k takes input i
  return twice % 2 == 0 && twice / 2 < side ? twice / 2 : -1;
}

// sum += factor * weights. Its own function so that the loop over channels is the one that becomes vectors.
void add_scaled(float* __restrict sum, float factor, const float* __restrict weights, int count) {
  for (int i = 0; i < count; ++i) sum[i] += factor * weights[i];
}

Map convolve(const Layer& layer, const Map& in) {
  Map out{in.side * (layer.up ? 2 : 1), layer.out, {}};
  out.values.resize(std::size_t(out.side) * out.side * out.channels);
  for (int y = 0; y < out.side; ++y)
    for (int x = 0; x < out.side; ++x) {
      std::copy(layer.bias.begin(), layer.bias.end(), out.at(y, x));
      for (int tap = 0; tap < layer.kernel * layer.kernel; ++tap) {
        const int from_y = source(layer, y, tap / layer.kernel, in.side);
        const int from_x = source(layer, x, tap % layer.kernel, in.side);
        if (from_y < 0 || from_x < 0) continue;
        const float* from = in.at(from_y, from_x);
        const float* weights = &layer.weight[std::size_t(tap) * layer.in * layer.out];
        for (int i = 0; i < layer.in; ++i, weights += layer.out)
          if (from[i] != 0) add_scaled(out.at(y, x), from[i], weights, layer.out);  // relu makes half of them 0
      }
    }
  return out;
}

Map relu(Map map) {
  for (float& value : map.values) value = std::max(value, 0.0f);
  return map;
}

}  // namespace

CodecFile read_codec_file(FileBytes file, std::string_view where) {
  CodecFile out;
  if (file.text().starts_with("PK")) {
    out.npz = read_npz(file, where, kMaxBytes);
    for (const auto& [name, array] : out.npz) out.tensors.emplace(name, array.tensor);
    return out;
  }
  if (!file.text().substr(0, 9).ends_with('{'))  // behind the length of the header
    fail(ErrorKind::model, "codec", "reading the mask codec: ", where, ": expected an npz or safetensors file");
  out.safetensors = read_safetensors(std::move(file), where);
  out.tensors = out.safetensors.tensors;
  return out;
}

MaskCodec MaskCodec::read(FileBytes file, std::string_view where) try {
  const Arrays arrays(std::move(file), where);
  MaskCodec codec;
  const HostTensor& codebook = arrays.get("_vq_vae._embedding", {-1, -1});
  codec.codes_ = static_cast<int>(codebook.shape[0]);
  if (codec.codes_ < kCodesInText)
    arrays.refuse("_vq_vae._embedding", join("expected at least ", kCodesInText, " codes, got ", codec.codes_));
  const int width = static_cast<int>(codebook.shape[1]);
  codec.codebook_.resize(std::size_t(codec.codes_) * width);
  for (std::size_t i = 0; i < codec.codebook_.size(); ++i) codec.codebook_[i] = codebook.element(i);

  codec.first_ = read_layer(arrays, "decoder.0", width, -1, 1);
  int channels = codec.first_.out;
  for (int b = 0; b < 2; ++b) {
    const std::string name = join("decoder.", 2 + b, ".net.");
    auto& [conv0, conv2, conv4] = codec.residual_[b];
    conv0 = read_layer(arrays, name + "0", channels, -1, 3);
    conv2 = read_layer(arrays, name + "2", conv0.out, -1, 3);
    conv4 = read_layer(arrays, name + "4", conv2.out, channels, 1);
  }
  for (int u = 0; u < 4; ++u) {
    codec.up_[u] = read_layer(arrays, join("decoder.", 4 + 2 * u), channels, -1, 4, true);
    channels = codec.up_[u].out;
  }
  codec.last_ = read_layer(arrays, "decoder.12", channels, 1, 1);
  return codec;
} catch (const Error& error) {
  throw Error(error.kind(), "codec", error.what());  // the readers of the two formats have codes of their own
}

std::vector<float> MaskCodec::decode(std::span<const int, 16> codes) const {
  Map map{4, first_.in, {}};
  map.values.reserve(std::size_t(16) * map.channels);
  for (const int code : codes) {
    if (code < 0 || code >= codes_)
      fail(ErrorKind::usage, "codec", "decoding a mask: expected codes from 0 to ", codes_ - 1, ", got ", code);
    const auto row = codebook_.begin() + std::ptrdiff_t(code) * map.channels;
    map.values.insert(map.values.end(), row, row + map.channels);
  }
  map = relu(convolve(first_, map));
  for (const auto& [conv0, conv2, conv4] : residual_) {
    const Map change = convolve(conv4, relu(convolve(conv2, relu(convolve(conv0, map)))));
    for (std::size_t i = 0; i < map.values.size(); ++i) map.values[i] += change.values[i];
  }
  for (const Layer& up : up_) map = relu(convolve(up, map));
  return convolve(last_, map).values;
}

}  // namespace paligemma
