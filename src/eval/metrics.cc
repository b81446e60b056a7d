#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>

namespace paligemma {
namespace {

double area(const std::array<double, 4>& box) {
  return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]);
}

std::int64_t pixels(const Mask& mask) { return std::ranges::count(mask.inside, 1); }

double log_of_sum(std::span<const float> logits) {
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

}  // namespace

double box_iou(const std::array<double, 4>& a, const std::array<double, 4>& b) {
  const double both = area({std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])});
  const double either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

double mask_iou(const Mask& a, const Mask& b) {
  const int left = std::max(a.x, b.x), right = std::min(a.x + a.width, b.x + b.width);
  const int top = std::max(a.y, b.y), bottom = std::min(a.y + a.height, b.y + b.height);
  const auto inside = [](const Mask& mask, int x, int y) {
    return mask.inside[static_cast<std::size_t>(y - mask.y) * static_cast<std::size_t>(mask.width) +
                       static_cast<std::size_t>(x - mask.x)] != 0;
  };
  std::int64_t both = 0;
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) both += inside(a, x, y) && inside(b, x, y) ? 1 : 0;
  const std::int64_t either = pixels(a) + pixels(b) - both;
  return either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 1;
}

std::vector<std::optional<std::size_t>> match_objects(std::span<const Object> a, std::span<const Object> b) {
  struct Pair {
    double iou;
    std::size_t a, b;
  };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < b.size(); ++j)
      if (a[i].label == b[j].label)
        if (const double iou = box_iou(a[i].box, b[j].box); iou > 0) pairs.push_back({iou, i, j});
  std::ranges::sort(pairs, [](const Pair& one, const Pair& two) {
    return std::tuple(-one.iou, one.a, one.b) < std::tuple(-two.iou, two.a, two.b);
  });
  std::vector<std::optional<std::size_t>> matches(a.size());
  std::vector<bool> taken(b.size());
  for (const Pair& pair : pairs) {
    if (matches[pair.a] || taken[pair.b]) continue;
    matches[pair.a] = pair.b;
    taken[pair.b] = true;
  }
  return matches;
}

double log_probability(std::span<const float> logits, int token) {
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - log_of_sum(logits);
}

double kl_divergence(std::span<const float> a, std::span<const float> b) {
  const double total_a = log_of_sum(a), total_b = log_of_sum(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double log_a = static_cast<double>(a[i]) - total_a;
    sum += std::exp(log_a) * (log_a - (static_cast<double>(b[i]) - total_b));
  }
  return sum < 0 ? 0 : sum;  // by rounding alone
}

}  // namespace paligemma
