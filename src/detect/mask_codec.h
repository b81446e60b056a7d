// stage 7/8, second half: 16 codes -> a 64x64 map, the decoder of PaliGemma's mask codec (a VQ-VAE, "vae-oid.npz").
//
// big_vision evaluators/proj/paligemma/transfers/segmentation.py: codebook rows on a 4x4 grid, a 1x1 convolution, two
// residual blocks, four transposed convolutions that double the side, a 1x1 convolution. The object is where the map is
// positive.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace paligemma {

constexpr int kMapSide = 64;

class MaskCodec {
 public:
  // Reads .npz or .safetensors, told apart by content, with the tensor names of vae-oid.npz and any widths. `where`
  // names the file in messages. Throws Error{model, "codec"} when tensors are missing or do not fit each other.
  static MaskCodec read(const FileBytes& file, std::string_view where);

  // (64, 64), row by row. Codes are below 128.
  std::vector<float> decode(std::span<const int, 16> codes) const;

 private:
  struct Convolution {
    int in = 0, out = 0, kernel = 0;
    std::vector<float> weight{};  // (kernel, kernel, in, out): outputs last, so that the inner loop runs over them
    std::vector<float> bias{};    // (out)
  };
  struct Map {  // (side, side, channels)
    int side = 0, channels = 0;
    std::vector<float> values;
  };
  using Residual = std::array<Convolution, 3>;
  class Loader;

  static Map convolve(const Map& in, const Convolution& layer);
  static Map upsample(const Map& in, const Convolution& layer);
  static void relu(Map& map);
  static void add_residual(Map& map, const Residual& block);

  int width_ = 0;                // of a codebook row
  std::vector<float> codebook_;  // (128, width)
  Convolution first_;
  std::array<Residual, 2> residuals_;
  std::array<Convolution, 4> upsamplings_;
  Convolution last_;
};

}  // namespace paligemma
