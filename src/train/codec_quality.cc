#include "train/codec_quality.h"

#include <algorithm>
#include <numbers>
#include <set>

#include "detect/mask_codec.h"

namespace paligemma {
namespace {

constexpr std::size_t kComparedCells = std::size_t{MaskCodec::kSide} * MaskCodec::kSide, kComparedCodes = 16;
constexpr double kSmallTurn = 2 * std::numbers::pi / 180, kSmallMove = 0.02;
const ShapeChange kSmallChanges[] = {{.turn = kSmallTurn},
                                     {.turn = -kSmallTurn},
                                     {.loose = {kSmallMove, 0, -kSmallMove, 0}},
                                     {.loose = {0, -kSmallMove, 0, kSmallMove}}};

}  // namespace

double map_iou(std::span<const float> coverage, std::span<const float> map) {
  std::int64_t both = 0, either = 0;
  for (std::size_t i = 0; i < coverage.size(); ++i) {
    const bool inside = coverage[i] >= 0.5f, found = map[i] > 0;
    both += inside && found;
    either += inside || found;
  }
  return either == 0 ? 1 : static_cast<double>(both) / static_cast<double>(either);
}

CodecQuality measure_codec(CodecTrainer& codec, const MaskSet& masks) {
  const std::vector<float> maps = masks.held_out_maps();
  const std::vector<int> codes = codec.encode(maps);
  CodecQuality quality{.least_iou = 1,
                       .used = static_cast<std::int64_t>(std::set<int>(codes.begin(), codes.end()).size())};
  std::size_t stable = 0, asked = 0;
  const std::size_t count = masks.held_out().size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<float> map = codec.decode(std::span(codes).subspan(i * kComparedCodes, kComparedCodes));
    const double iou = map_iou(std::span(maps).subspan(i * kComparedCells, kComparedCells), map);
    quality.iou += iou / static_cast<double>(count);
    quality.least_iou = std::min(quality.least_iou, iou);
    std::vector<float> changed = masks.held_out()[i].map({});
    for (const ShapeChange& change : kSmallChanges) {
      const std::vector<float> one = masks.held_out()[i].map(change);
      changed.insert(changed.end(), one.begin(), one.end());
    }
    const std::vector<int> all = codec.encode(changed);
    for (std::size_t k = kComparedCodes; k < all.size(); ++k, ++asked) stable += all[k] == all[k % kComparedCodes];
  }
  quality.stable = static_cast<double>(stable) / static_cast<double>(asked);
  return quality;
}

}  // namespace paligemma
