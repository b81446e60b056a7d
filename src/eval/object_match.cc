#include "eval/object_match.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace paligemma {
namespace {

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<Finding> judge_found(const MarkedPicture& picture, bool masks, double iou) {
  std::vector<std::size_t> order(picture.found.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return picture.found[i].score.value_or(1); });

  std::vector<Finding> findings(picture.found.size(), Finding::wrong);
  std::vector<bool> taken(picture.truth.size());
  for (const std::size_t i : order) {
    double best = 0;
    std::size_t choice = picture.truth.size();
    for (std::size_t j = 0; j < picture.truth.size(); ++j) {
      const MarkedObject& truth = picture.truth[j];
      if (taken[j] || truth.label != picture.found[i].label) continue;
      const double shared = overlap(picture.found[i], truth, masks);
      if (shared < iou) continue;
      if (truth.crowd) {
        if (findings[i] == Finding::wrong) findings[i] = Finding::neither;
      } else if (shared > best) {
        best = shared;
        choice = j;
        findings[i] = Finding::right;
      }
    }
    if (choice < taken.size()) taken[choice] = true;
  }
  return findings;
}

std::vector<double> matched_overlaps(const MarkedPicture& picture, bool masks) {
  struct MatchedPair {
    double iou = 0;
    std::size_t truth = 0, found = 0;
  };
  std::vector<std::size_t> objects;
  std::vector<MatchedPair> pairs;
  for (std::size_t i = 0; i < picture.truth.size(); ++i) {
    const MarkedObject& truth = picture.truth[i];
    if (truth.crowd) continue;
    for (std::size_t j = 0; j < picture.found.size(); ++j)
      if (picture.found[j].label == truth.label)
        pairs.push_back({overlap(picture.found[j], truth, masks), objects.size(), j});
    objects.push_back(i);
  }
  std::ranges::stable_sort(pairs, std::greater(), &MatchedPair::iou);
  std::vector<double> best(objects.size());
  std::vector<bool> taken(picture.found.size()), matched(objects.size());
  for (const MatchedPair& pair : pairs) {
    if (taken[pair.found] || matched[pair.truth]) continue;
    taken[pair.found] = matched[pair.truth] = true;
    best[pair.truth] = pair.iou;
  }
  return best;
}

FindingCounts& FindingCounts::operator+=(const FindingCounts& other) {
  right += other.right;
  wrong += other.wrong;
  missed += other.missed;
  return *this;
}

double FindingCounts::precision() const { return share(right, right + wrong); }
double FindingCounts::recall() const { return share(right, right + missed); }
double FindingCounts::f1() const { return share(2 * right, 2 * right + wrong + missed); }

FindingCounts count_findings(const MarkedPicture& picture, bool masks, double iou) {
  FindingCounts counts;
  for (const Finding finding : judge_found(picture, masks, iou)) {
    counts.right += finding == Finding::right;
    counts.wrong += finding == Finding::wrong;
  }
  const auto there = std::ranges::count(picture.truth, false, &MarkedObject::crowd);
  counts.missed = static_cast<std::size_t>(there) - counts.right;
  return counts;
}

double count_error(const MarkedPicture& picture) {
  std::map<std::string_view, int> surplus;
  for (const MarkedObject& found : picture.found) ++surplus[found.label];
  for (const MarkedObject& truth : picture.truth)
    if (!truth.crowd) --surplus[truth.label];
  double error = 0;
  for (const auto& [label, count] : surplus) error += std::abs(count);
  return error;
}

}  // namespace paligemma
