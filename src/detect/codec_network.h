// The segmentation codec's network, a VQ-VAE after "All in Tokens" (https://arxiv.org/abs/2301.02229), in one
// description for both directions and for training: the encoder takes maps (64,64,1) to (4,4,width), the decoder takes
// those back, and between them stands a codebook of (codes, width).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/npz.h"
#include "io/safetensors.h"
#include "ops/ops.h"

namespace paligemma {

struct CodecLayer {
  std::string name;  // of its arrays, without ".weight" and ".bias"
  Convolution convolution;
};

// One layer, or a residual block of three with relus between them, whose input is added to the last one's output.
struct CodecStage {
  std::vector<CodecLayer> layers;  // 1 or 3
  bool relu = false;               // behind it
};

struct CodecNetwork {
  static constexpr std::string_view kCodebook = "_vq_vae._embedding";  // its array

  int codes = 0, width = 0;
  std::vector<float> codebook;      // (codes, width)
  std::vector<CodecStage> encoder;  // empty where a file has none
  std::vector<CodecStage> decoder;
};

// The arrays of a codec's file by name, and what they lie in.
struct CodecFile {
  std::map<std::string, HostTensor, std::less<>> tensors;
  std::map<std::string, NpzArray, std::less<>> npz;
  Safetensors safetensors;
};
// An .npz or a .safetensors, told apart by their content. `where` names the file in messages. Throws Error{model}.
CodecFile read_codec_file(FileBytes file, std::string_view where);

// Reads arrays with the names of vae-oid.npz; f32, f16 or bf16. Widths, and the encoder's kernels, follow from the
// arrays, and each must fit its neighbours. Throws Error{model, "codec"}.
CodecNetwork read_codec_network(const CodecFile& file, std::string_view where, Backend& backend);

// The arrays of a codec that is to be trained, with weights by He's rule. Residual blocks have `channels`, layers of
// larger maps fewer. Fewer codes than the text has are there again from the first one on.
struct CodecSizes {
  int codes = 128, width = 64, channels = 96;
};
CodecFile make_codec_file(const CodecSizes& sizes, std::uint64_t seed);

// What the array of a layer's weights holds, (out, in, kernel, kernel) or, where the size doubles, (in, out, kernel,
// kernel), as Convolution::weight has it; and back.
std::vector<std::int64_t> array_shape(const Convolution& convolution);
std::vector<float> matrix_of(const Convolution& convolution, const HostTensor& array);
std::vector<float> array_of(const Convolution& convolution, std::span<const float> matrix);

// Of maps of `side`, each position a row.
View run_stages(Pass& pass, const std::vector<CodecStage>& stages, ConstView maps, std::int64_t side);

// The row of a codebook (codes, width) nearest to `feature` (width), the first of equal ones.
int nearest_code(std::span<const float> codebook, std::span<const float> feature);

}  // namespace paligemma
