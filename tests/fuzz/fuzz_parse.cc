// seeds: geometry/parse.jsonl
#include <algorithm>

#include "detect/mask.h"

// Whatever the model writes, objects lie in the picture, their masks in their boxes, and the outlines and run lengths
// of a mask can be made. The first bytes are the sides of the picture and choose the divisor.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const paligemma::Frame frame{data[0] + 1, data[1] + 1, data[2] % 2 == 0 ? 1024 : 1023};
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::string labels[] = {"cat", " dog", ""};
  auto parsed = paligemma::parse_objects(text, frame, labels);
  if (parsed.objects.size() != parsed.places.size()) __builtin_trap();
  std::vector<paligemma::Token> tokens;
  for (std::size_t at = 0; at < text.size(); at += 9) tokens.push_back({0, std::string(text.substr(at, 9)), -1.0});
  for (const auto kind : {paligemma::ScoreKind::loc_geomean, paligemma::ScoreKind::label_prob})
    paligemma::score_objects(parsed, tokens, kind);

  std::vector<float> map(64 * 64);
  for (std::size_t i = 0; i < map.size(); ++i) map[i] = static_cast<float>(data[i % size]) - 100;
  for (std::size_t i = 0; i < std::min<std::size_t>(parsed.objects.size(), 4); ++i) {
    const auto& [x1, y1, x2, y2] = parsed.objects[i].box;
    if (!(0 <= x1 && x1 < x2 && x2 <= frame.width && 0 <= y1 && y1 < y2 && y2 <= frame.height)) __builtin_trap();
    if (text.substr(parsed.places[i].begin, 4) != "<loc") __builtin_trap();
    const paligemma::ObjectPlace& place = parsed.places[i];
    if (!(place.begin < place.label && place.label <= place.end && place.end <= text.size())) __builtin_trap();
    if (!text.substr(place.label, place.end - place.label).ends_with(parsed.objects[i].label)) __builtin_trap();
    for (const auto profile : {paligemma::MaskProfile::standard, paligemma::MaskProfile::evaluator}) {
      const auto mask = paligemma::paste_mask(map, parsed.objects[i], frame, profile);
      if (paligemma::coco_rle(mask, frame.width, frame.height).empty()) __builtin_trap();
      for (const auto& ring : paligemma::polygons(mask))
        if (ring.size() < 8) __builtin_trap();
    }
  }
  return 0;
}
