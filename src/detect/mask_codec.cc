#include "detect/mask_codec.h"

#include <algorithm>

#include "base/error.h"
#include "detect/mask.h"

namespace paligemma {
MaskCodec MaskCodec::read(FileBytes file, std::string_view where, Backend& backend) try {
  MaskCodec codec;
  codec.network_ = read_codec_network(read_codec_file(std::move(file), where), where, backend);
  codec.backend_ = &backend;
  codec.arena_ = std::make_unique<Arena>(backend);
  return codec;
} catch (const Error& error) {
  throw Error(error.kind(), "codec", error.what());  // the readers of the two formats have codes of their own
}

std::vector<float> MaskCodec::run(const std::vector<CodecStage>& stages, std::span<const float> map, int side) const {
  const ArenaScope scope(*arena_);
  Pass pass{*backend_, *arena_};
  const auto rows = std::int64_t{side} * side;
  const View in = arena_->rows(rows, static_cast<std::int64_t>(map.size()) / rows);
  std::copy(map.begin(), map.end(), in.data);
  const View out = run_stages(pass, stages, in, side);
  return {out.data, out.row(out.rows)};
}

std::vector<float> MaskCodec::decode(std::span<const int, 16> codes) const {
  std::vector<float> rows;
  rows.reserve(codes.size() * network_.width);
  for (const int code : codes) {
    if (code < 0 || code >= network_.codes)
      fail(ErrorKind::usage, "codec", "decoding a mask: expected codes from 0 to ", network_.codes - 1, ", got ", code);
    const auto row = network_.codebook.begin() + std::ptrdiff_t(code) * network_.width;
    rows.insert(rows.end(), row, row + network_.width);
  }
  return run(network_.decoder, rows, kCodesSide);
}

std::vector<float> MaskCodec::features(std::span<const float> coverage) const {
  if (!has_encoder())
    fail(ErrorKind::model, "codec",
         "encoding a mask: the mask codec: expected arrays encoder.0 to encoder.10, got a file that only decodes. "
         "Try: vae-oid.npz, which has both");
  if (coverage.size() != std::size_t(kSide) * kSide)
    fail(ErrorKind::usage, "mask", "encoding a mask: expected ", kSide * kSide, " values, got ", coverage.size());
  std::vector<float> map(coverage.begin(), coverage.end());
  for (float& value : map) value = 2 * (value - 0.5f);
  return run(network_.encoder, map, kSide);
}

std::array<int, 16> MaskCodec::encode(std::span<const float> coverage) const {
  const std::vector<float> rows = features(coverage);
  std::array<int, 16> codes{};
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = nearest_code(network_.codebook, std::span(rows).subspan(i * network_.width, network_.width));
  return codes;
}

std::array<int, 16> MaskCodec::encode(const Mask& mask, const std::array<double, 4>& box) const {
  return encode(crop_mask(mask, box));
}

}  // namespace paligemma
