#include "detect/mask_codec.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "io/npz.h"
#include "io/safetensors.h"

namespace paligemma {
namespace {

constexpr int kCodes = 128, kGrid = 4, kUpsampleKernel = 4;
constexpr std::int64_t kMaxChannels = 4096, kMaxKernel = 7;

std::vector<float> to_f32(const HostTensor& tensor) {
  const std::size_t size = static_cast<std::size_t>(byte_size(tensor.dtype));
  std::vector<float> out(tensor.bytes.size() / size);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::byte* at = tensor.bytes.data() + i * size;
    std::uint16_t half;
    if (tensor.dtype == DType::f32) {
      std::memcpy(&out[i], at, sizeof(float));
      continue;
    }
    std::memcpy(&half, at, sizeof half);
    out[i] = tensor.dtype == DType::bf16 ? bf16_to_f32(half) : f16_to_f32(half);
  }
  return out;
}

}  // namespace

class MaskCodec::Loader {
 public:
  Loader(std::map<std::string, HostTensor, std::less<>> tensors, std::string_view where)
      : tensors_(std::move(tensors)), where_(where) {}

  MaskCodec load() {
    MaskCodec codec;
    const HostTensor& codebook = find("_vq_vae._embedding", 2);
    if (codebook.shape[0] != kCodes) complain("_vq_vae._embedding", "128 rows", codebook.shape[0]);
    codec.width_ = static_cast<int>(codebook.shape[1]);
    codec.codebook_ = to_f32(codebook);
    codec.first_ = convolution("decoder.0", codec.width_);
    int channels = codec.first_.out;
    for (std::size_t block = 0; block < 2; ++block) {
      for (std::size_t i = 0; i < 3; ++i)
        codec.residuals_[block][i] = convolution(
            "decoder." + std::to_string(block + 2) + ".net." + std::to_string(2 * i), i == 0 ? channels : codec.residuals_[block][i - 1].out);
      if (codec.residuals_[block][2].out != channels)
        complain("decoder." + std::to_string(block + 2) + ".net.4.weight", std::to_string(channels) + " outputs", codec.residuals_[block][2].out);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      codec.upsamplings_[i] = upsampling("decoder." + std::to_string(4 + 2 * i), channels);
      channels = codec.upsamplings_[i].out;
    }
    codec.last_ = convolution("decoder.12", channels);
    if (codec.last_.out != 1) complain("decoder.12.weight", "1 output", codec.last_.out);
    return codec;
  }

 private:
  // (out, in, k, k), k odd.
  Convolution convolution(const std::string& name, int in) const {
    const HostTensor& weight = find(name + ".weight", 4);
    const std::int64_t kernel = weight.shape[2];
    if (weight.shape[1] != in) complain(name + ".weight", std::to_string(in) + " inputs", weight.shape[1]);
    if (kernel % 2 == 0 || kernel > kMaxKernel || weight.shape[3] != kernel) complain(name + ".weight", "a square kernel of odd size", kernel);
    return arrange(weight, name, {.in = in, .out = static_cast<int>(weight.shape[0]), .kernel = static_cast<int>(kernel)}, false);
  }

  // (in, out, 4, 4).
  Convolution upsampling(const std::string& name, int in) const {
    const HostTensor& weight = find(name + ".weight", 4);
    if (weight.shape[0] != in) complain(name + ".weight", std::to_string(in) + " inputs", weight.shape[0]);
    for (const std::size_t axis : {2, 3})
      if (weight.shape[axis] != kUpsampleKernel) complain(name + ".weight", "a 4x4 kernel", weight.shape[axis]);
    return arrange(weight, name, {.in = in, .out = static_cast<int>(weight.shape[1]), .kernel = kUpsampleKernel}, true);
  }

  Convolution arrange(const HostTensor& weight, const std::string& name, Convolution layer, bool inputs_first) const {
    const HostTensor& bias = find(name + ".bias", 1);
    if (bias.shape[0] != layer.out) complain(name + ".bias", std::to_string(layer.out) + " values", bias.shape[0]);
    layer.bias = to_f32(bias);
    const std::vector<float> values = to_f32(weight);
    layer.weight.resize(values.size());
    const int area = layer.kernel * layer.kernel;
    for (int o = 0; o < layer.out; ++o)
      for (int i = 0; i < layer.in; ++i)
        for (int k = 0; k < area; ++k) {
          const int from = inputs_first ? i * layer.out + o : o * layer.in + i;
          layer.weight[static_cast<std::size_t>((k * layer.in + i) * layer.out + o)] = values[static_cast<std::size_t>(from * area + k)];
        }
    return layer;
  }

  const HostTensor& find(const std::string& name, std::size_t dimensions) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(ErrorKind::model, "codec", "cannot use the mask codec: ", where_, ": tensor ", name, " is missing");
    const auto& shape = found->second.shape;
    const bool sane = std::ranges::all_of(shape, [](std::int64_t n) { return n > 0 && n <= kMaxChannels; });
    if (shape.size() != dimensions || !sane)
      complain(name, std::to_string(dimensions) + " dimensions of 1 to 4096", static_cast<std::int64_t>(shape.size()));
    return found->second;
  }

  [[noreturn]] void complain(const std::string& name, const std::string& expected, std::int64_t got) const {
    fail(ErrorKind::model, "codec", "cannot use the mask codec: ", where_, ": tensor ", name, ": expected ", expected, ", got ", got);
  }

  std::map<std::string, HostTensor, std::less<>> tensors_;
  std::string_view where_;
};

MaskCodec MaskCodec::read(const FileBytes& file, std::string_view where) {
  if (file.text().starts_with("PK")) {
    const auto arrays = read_npz(file, where);
    std::map<std::string, HostTensor, std::less<>> tensors;
    for (const auto& [name, array] : arrays) tensors.emplace(name, array.tensor);
    return Loader(std::move(tensors), where).load();
  }
  return Loader(read_safetensors(FileBytes::borrow(file.bytes()), where).tensors, where).load();
}

MaskCodec::Map MaskCodec::convolve(const Map& in, const Convolution& layer) {
  Map out{in.side, layer.out, {}};
  const int pad = layer.kernel / 2;
  for (int y = 0; y < in.side; ++y)
    for (int x = 0; x < in.side; ++x) {
      out.values.insert(out.values.end(), layer.bias.begin(), layer.bias.end());
      float* sum = out.values.data() + out.values.size() - static_cast<std::size_t>(layer.out);
      for (int ky = std::max(0, pad - y); ky < layer.kernel && y + ky - pad < in.side; ++ky)
        for (int kx = std::max(0, pad - x); kx < layer.kernel && x + kx - pad < in.side; ++kx) {
          const float* pixel = in.values.data() + ((y + ky - pad) * in.side + x + kx - pad) * in.channels;
          const float* weight = layer.weight.data() + (ky * layer.kernel + kx) * layer.in * layer.out;
          for (int i = 0; i < layer.in; ++i, weight += layer.out)
            for (int o = 0; o < layer.out; ++o) sum[o] += pixel[i] * weight[o];
        }
    }
  return out;
}

// out[2 i - 1 + k] += in[i] weight[k] along both axes, cropped to twice the side.
MaskCodec::Map MaskCodec::upsample(const Map& in, const Convolution& layer) {
  const int side = 2 * in.side;
  Map out{side, layer.out, {}};
  for (int i = 0; i < side * side; ++i) out.values.insert(out.values.end(), layer.bias.begin(), layer.bias.end());
  for (int y = 0; y < in.side; ++y)
    for (int x = 0; x < in.side; ++x)
      for (int k = 0; k < layer.kernel * layer.kernel; ++k) {
        const int to_y = 2 * y - 1 + k / layer.kernel, to_x = 2 * x - 1 + k % layer.kernel;
        if (to_y < 0 || to_y >= side || to_x < 0 || to_x >= side) continue;
        const float* pixel = in.values.data() + (y * in.side + x) * in.channels;
        const float* weight = layer.weight.data() + k * layer.in * layer.out;
        float* sum = out.values.data() + (to_y * side + to_x) * layer.out;
        for (int i = 0; i < layer.in; ++i, weight += layer.out)
          for (int o = 0; o < layer.out; ++o) sum[o] += pixel[i] * weight[o];
      }
  return out;
}

void MaskCodec::relu(Map& map) {
  for (float& value : map.values) value = std::max(value, 0.0f);
}

void MaskCodec::add_residual(Map& map, const Residual& block) {
  Map branch = convolve(map, block[0]);
  relu(branch);
  branch = convolve(branch, block[1]);
  relu(branch);
  branch = convolve(branch, block[2]);
  for (std::size_t i = 0; i < map.values.size(); ++i) map.values[i] += branch.values[i];
}

std::vector<float> MaskCodec::decode(std::span<const int, 16> codes) const {
  Map map{kGrid, width_, {}};
  for (const int code : codes) {
    const auto row = codebook_.begin() + static_cast<std::ptrdiff_t>(code) * width_;
    map.values.insert(map.values.end(), row, row + width_);
  }
  map = convolve(map, first_);
  relu(map);
  for (const Residual& block : residuals_) add_residual(map, block);
  for (const Convolution& layer : upsamplings_) {
    map = upsample(map, layer);
    relu(map);
  }
  return convolve(map, last_).values;
}

}  // namespace paligemma
