// The decoder of the segmentation codec, a VQ-VAE after "All in Tokens" (https://arxiv.org/abs/2301.02229): four by
// four codes -> a map of 64 by 64 numbers, positive inside the object. The encoder's tensors in the file are not read
// here.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/npz.h"
#include "io/safetensors.h"

namespace paligemma {

// The arrays of a codec's file by name, and what they lie in.
struct CodecFile {
  std::map<std::string, HostTensor, std::less<>> tensors;
  std::map<std::string, NpzArray, std::less<>> npz;
  Safetensors safetensors;
};
// An .npz or a .safetensors, told apart by their content. `where` names the file in messages. Throws Error{model}.
CodecFile read_codec_file(FileBytes file, std::string_view where);

class MaskCodec {
 public:
  static constexpr int kSide = 64;  // of a map

  // Reads arrays with the names of vae-oid.npz; f32, f16 or bf16. Widths follow from the arrays, and each must fit its
  // neighbours. Throws Error{model, "codec"}.
  static MaskCodec read(FileBytes file, std::string_view where);

  // Codes, row by row, in [0, codes()) -> map (kSide, kSide). Throws Error{usage, "codec"} for a code outside.
  std::vector<float> decode(std::span<const int, 16> codes) const;

  int codes() const { return codes_; }  // rows of the codebook, at least 128

  // A convolution: 1x1 or 3x3 with the same size out as in, or `up`: the transposed 4x4 with stride 2 that doubles it.
  struct Layer {
    int in = 0, out = 0, kernel = 0;
    bool up = false;
    std::vector<float> weight, bias;  // (kernel, kernel, in, out), (out)
  };

 private:
  int codes_ = 0;
  std::vector<float> codebook_;  // (codes, first_.in)
  Layer first_, last_;           // 1x1
  std::array<std::array<Layer, 3>, 2> residual_;
  std::array<Layer, 4> up_;
};

}  // namespace paligemma
