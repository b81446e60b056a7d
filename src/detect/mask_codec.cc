#include "detect/mask_codec.h"

#include <algorithm>

#include "base/error.h"
#include "detect/mask.h"

namespace paligemma {
namespace {

constexpr int kCodesSide = 4;

// The row of the codebook nearest to `feature`, the first of equal ones.
int nearest_code(const CodecNetwork& network, const float* feature) {
  int best = 0;
  double least = 0;
  for (int code = 0; code < network.codes; ++code) {
    const float* row = &network.codebook[std::size_t(code) * network.width];
    double distance = 0;
    for (int i = 0; i < network.width; ++i) {
      const double difference = double{feature[i]} - row[i];
      distance += difference * difference;
    }
    if (code == 0 || distance < least) best = code, least = distance;
  }
  return best;
}

}  // namespace

MaskCodec MaskCodec::read(FileBytes file, std::string_view where) try {
  MaskCodec codec;
  codec.network_ = read_codec_network(read_codec_file(std::move(file), where), where);
  return codec;
} catch (const Error& error) {
  throw Error(error.kind(), "codec", error.what());  // the readers of the two formats have codes of their own
}

std::vector<float> MaskCodec::decode(std::span<const int, 16> codes) const {
  SquareMap map{kCodesSide, network_.width, {}};
  map.values.reserve(codes.size() * map.channels);
  for (const int code : codes) {
    if (code < 0 || code >= network_.codes)
      fail(ErrorKind::usage, "codec", "decoding a mask: expected codes from 0 to ", network_.codes - 1, ", got ", code);
    const auto row = network_.codebook.begin() + std::ptrdiff_t(code) * map.channels;
    map.values.insert(map.values.end(), row, row + map.channels);
  }
  return run_stages(network_.decoder, std::move(map)).values;
}

std::vector<float> MaskCodec::features(std::span<const float> coverage) const {
  if (!has_encoder())
    fail(ErrorKind::model, "codec",
         "encoding a mask: the mask codec: expected arrays encoder.0 to encoder.10, got a file that only decodes. "
         "Try: vae-oid.npz, which has both");
  if (coverage.size() != std::size_t(kSide) * kSide)
    fail(ErrorKind::usage, "mask", "encoding a mask: expected ", kSide * kSide, " values, got ", coverage.size());
  SquareMap map{kSide, 1, {coverage.begin(), coverage.end()}};
  for (float& value : map.values) value = 2 * (value - 0.5f);
  return run_stages(network_.encoder, std::move(map)).values;
}

std::array<int, 16> MaskCodec::encode(std::span<const float> coverage) const {
  const std::vector<float> rows = features(coverage);
  std::array<int, 16> codes{};
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = nearest_code(network_, &rows[i * network_.width]);
  return codes;
}

std::array<int, 16> MaskCodec::encode(const Mask& mask, const std::array<double, 4>& box) const {
  return encode(crop_mask(mask, box));
}

}  // namespace paligemma
