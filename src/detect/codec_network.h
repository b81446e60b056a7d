// The segmentation codec's network, a VQ-VAE after "All in Tokens" (https://arxiv.org/abs/2301.02229), in one
// description for both directions: the encoder takes a map (64,64,1) to (4,4,width), the decoder takes that back, and
// between them stands a codebook of (codes, width).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detect/convolution.h"
#include "io/npz.h"
#include "io/safetensors.h"

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
CodecNetwork read_codec_network(const CodecFile& file, std::string_view where);

SquareMap run_stages(const std::vector<CodecStage>& stages, SquareMap map);

}  // namespace paligemma
