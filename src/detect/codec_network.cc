#include "detect/codec_network.h"

#include <algorithm>
#include <span>

#include "base/error.h"

namespace paligemma {
namespace {

using Step = Convolution::Step;
using ArrayShape = std::vector<std::int64_t>;

constexpr int kCodesInText = 128;            // <seg000> to <seg127>
constexpr std::int64_t kMaxChannels = 4096;  // 32 times the original's; holds a layer's output to 64 MiB
constexpr std::int64_t kMaxKernel = 8;
constexpr std::uint64_t kMaxCodecBytes = 1 << 28;  // of an npz, unpacked
constexpr int kAny = -1;

struct StageShape {
  const char* name;
  Step step;
  int kernel;  // kAny: taken from the arrays
  bool relu;
  bool residual = false;
};
constexpr StageShape kEncoder[] = {
    {"encoder.0", Step::half, kAny, true},     {"encoder.2", Step::half, kAny, true},
    {"encoder.4", Step::half, kAny, true},     {"encoder.6", Step::half, kAny, true},
    {"encoder.8", Step::same, 3, false, true}, {"encoder.9", Step::same, 3, false, true},
    {"encoder.10", Step::same, kAny, false},
};
constexpr StageShape kDecoder[] = {
    {"decoder.0", Step::same, 1, true},        {"decoder.2", Step::same, 3, false, true},
    {"decoder.3", Step::same, 3, false, true}, {"decoder.4", Step::twice, 4, true},
    {"decoder.6", Step::twice, 4, true},       {"decoder.8", Step::twice, 4, true},
    {"decoder.10", Step::twice, 4, true},      {"decoder.12", Step::same, 1, false},
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

// Reads `name`.weight, (out, in, kernel, kernel) or, where the size doubles, (in, out, kernel, kernel), and
// `name`.bias, (out). An `out` and a `kernel` of kAny are taken from the arrays.
Convolution read_convolution(const Arrays& arrays, const std::string& name, int in, int out, int kernel, Step step) {
  const bool twice = step == Step::twice;
  const HostTensor& weight =
      arrays.get(name + ".weight", twice ? ArrayShape{in, out, kernel, kernel} : ArrayShape{out, in, kernel, kernel});
  if (weight.shape[2] != weight.shape[3] || weight.shape[2] > kMaxKernel)
    arrays.refuse(name + ".weight", join("expected a square kernel of at most ", kMaxKernel, " by ", kMaxKernel,
                                         ", got ", shape_text(weight.shape)));
  Convolution read{.in = in,
                   .out = static_cast<int>(weight.shape[twice ? 1 : 0]),
                   .kernel = static_cast<int>(weight.shape[2]),
                   .step = step};
  const HostTensor& bias = arrays.get(name + ".bias", {read.out});
  const std::size_t taps = std::size_t(read.kernel) * read.kernel, outs = read.out, ins = in;
  read.bias.resize(outs);
  read.weight.resize(taps * ins * outs);
  for (std::size_t o = 0; o < outs; ++o) {
    read.bias[o] = bias.element(o);
    for (std::size_t i = 0; i < ins; ++i)
      for (std::size_t tap = 0; tap < taps; ++tap)
        read.weight[(tap * ins + i) * outs + o] = weight.element((twice ? i * outs + o : o * ins + i) * taps + tap);
  }
  return read;
}

// `channels` goes in, `last` comes out (kAny: as many as the arrays say).
std::vector<CodecStage> read_stages(const Arrays& arrays, std::span<const StageShape> shapes, int channels, int last) {
  std::vector<CodecStage> stages;
  for (const StageShape& shape : shapes) {
    CodecStage stage{.layers = {}, .relu = shape.relu};
    const auto read = [&](const std::string& name, int in, int out, int kernel) {
      stage.layers.push_back({name, read_convolution(arrays, name, in, out, kernel, shape.step)});
      return stage.layers.back().convolution.out;
    };
    const std::string name = shape.name;
    if (shape.residual) {
      const int first = read(name + ".net.0", channels, kAny, shape.kernel);
      const int second = read(name + ".net.2", first, kAny, shape.kernel);
      read(name + ".net.4", second, channels, 1);
    } else {
      channels = read(name, channels, &shape == &shapes.back() ? last : kAny, shape.kernel);
    }
    stages.push_back(std::move(stage));
  }
  return stages;
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

CodecNetwork read_codec_network(const CodecFile& file, std::string_view where) {
  const Arrays arrays(file, where);
  const HostTensor& codebook = arrays.get("_vq_vae._embedding", {kAny, kAny});
  CodecNetwork network{.codes = static_cast<int>(codebook.shape[0]), .width = static_cast<int>(codebook.shape[1])};
  if (network.codes < kCodesInText)
    arrays.refuse("_vq_vae._embedding", join("expected at least ", kCodesInText, " codes, got ", network.codes));
  network.codebook.resize(std::size_t(network.codes) * network.width);
  for (std::size_t i = 0; i < network.codebook.size(); ++i) network.codebook[i] = codebook.element(i);
  network.decoder = read_stages(arrays, kDecoder, network.width, 1);
  if (arrays.any_below("encoder.")) network.encoder = read_stages(arrays, kEncoder, 1, network.width);
  return network;
}

SquareMap run_stages(const std::vector<CodecStage>& stages, SquareMap map) {
  for (const CodecStage& stage : stages) {
    SquareMap out = convolve(stage.layers[0].convolution, map);
    for (std::size_t i = 1; i < stage.layers.size(); ++i)
      out = convolve(stage.layers[i].convolution, relu(std::move(out)));
    if (stage.layers.size() > 1)
      for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] += map.values[i];
    map = stage.relu ? relu(std::move(out)) : std::move(out);
  }
  return map;
}

}  // namespace paligemma
