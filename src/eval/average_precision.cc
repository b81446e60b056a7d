#include "eval/average_precision.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace paligemma {
namespace {

constexpr std::array<double, 3> kMostDetections{1, 10, 100};
constexpr std::size_t kMost = 100;

struct SizeRange {
  double low, high;
  bool holds(double area) const { return area >= low && area <= high; }
};
constexpr double kHuge = 1e5 * 1e5, kSmall = 32 * 32, kMedium = 96 * 96;
constexpr std::array<SizeRange, 4> kSizes{{{0, kHuge}, {0, kSmall}, {kSmall, kMedium}, {kMedium, kHuge}}};

// The IoU that counts as `step`, in the rounding of NumPy's linspace.
double iou_of(int step) { return 0.5 + step * ((0.95 - 0.5) / (kIouSteps - 1)); }
double recall_of(int step) { return step == kRecallSteps - 1 ? 1 : step * (1.0 / (kRecallSteps - 1)); }

double score_of(const MarkedObject& found) { return found.score.value_or(1); }

// What is there and what was found of one class in one picture; found with the highest score first.
struct ClassInPicture {
  std::vector<const MarkedObject*> truth, found;
  std::vector<double> truth_area, found_area;
  std::vector<std::vector<double>> ious;  // (found, truth)
};

// A detection that is right at some IoU, wrong, or neither (it meets a crowd, or is of another size).
enum class Verdict : std::uint8_t { wrong, right, neither };

struct Judged {
  double score;
  std::size_t rank;  // in its picture
  std::array<Verdict, kIouSteps> verdicts;
};

// The detections of one class in one range of sizes, picture by picture.
struct JudgedClass {
  std::vector<Judged> detections;
  std::size_t truths = 0;  // that have to be found
};

ClassInPicture select(const MarkedPicture& picture, const std::string& label, bool masks) {
  ClassInPicture selected;
  for (const MarkedObject& object : picture.truth)
    if (object.label == label) selected.truth.push_back(&object);
  for (const MarkedObject& object : picture.found)
    if (object.label == label) selected.found.push_back(&object);
  std::ranges::stable_sort(selected.found, std::greater(), [](const MarkedObject* found) { return score_of(*found); });
  selected.found.resize(std::min(selected.found.size(), kMost));
  for (const MarkedObject* truth : selected.truth) selected.truth_area.push_back(area_of(*truth, masks));
  for (const MarkedObject* found : selected.found) {
    selected.found_area.push_back(area_of(*found, masks));
    std::vector<double>& row = selected.ious.emplace_back();
    for (const MarkedObject* truth : selected.truth) row.push_back(overlap(*found, *truth, masks));
  }
  return selected;
}

// The place in `order` of the object that a detection takes: the largest overlap of at least `least`, of equal ones the
// last; one that need not be found only where no other is left.
std::ptrdiff_t take(const std::vector<double>& ious, const std::vector<std::size_t>& order, std::size_t required,
                    const std::vector<bool>& taken, double least) {
  std::ptrdiff_t best = -1;
  for (std::size_t place = 0; place < order.size(); ++place) {
    if (taken[place]) continue;
    if (best >= 0 && static_cast<std::size_t>(best) < required && place >= required) break;
    if (ious[order[place]] < least) continue;
    least = ious[order[place]];
    best = static_cast<std::ptrdiff_t>(place);
  }
  return best;
}

void judge(const ClassInPicture& in, const SizeRange& size, JudgedClass& judged) {
  // Objects that have to be found come first.
  std::vector<std::size_t> order(in.truth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto optional = std::ranges::stable_partition(
      order, [&](std::size_t i) { return !in.truth[i]->crowd && size.holds(in.truth_area[i]); });
  const std::size_t required = order.size() - optional.size();
  judged.truths += required;

  const std::size_t first = judged.detections.size();
  for (std::size_t d = 0; d < in.found.size(); ++d)
    judged.detections.push_back({.score = score_of(*in.found[d]), .rank = d, .verdicts = {}});
  for (int step = 0; step < kIouSteps; ++step) {
    std::vector<bool> taken(order.size());
    for (std::size_t d = 0; d < in.found.size(); ++d) {
      const std::ptrdiff_t place = take(in.ious[d], order, required, taken, std::min(iou_of(step), 1 - 1e-10));
      Verdict& verdict = judged.detections[first + d].verdicts[step];
      if (place < 0) {
        verdict = size.holds(in.found_area[d]) ? Verdict::wrong : Verdict::neither;
        continue;
      }
      verdict = static_cast<std::size_t>(place) < required ? Verdict::right : Verdict::neither;
      taken[place] = !in.truth[order[place]]->crowd;  // a crowd has room for any number
    }
  }
}

struct Curve {
  std::array<double, kRecallSteps> precision{};
  double recall = 0;
};

// Of detections by falling score at one IoU.
Curve curve_of(std::span<const Judged* const> detections, int step, std::size_t truths) {
  std::vector<double> precision, recall;
  double right = 0, wrong = 0;
  for (const Judged* detection : detections) {
    right += detection->verdicts[step] == Verdict::right;
    wrong += detection->verdicts[step] == Verdict::wrong;
    recall.push_back(right / static_cast<double>(truths));
    precision.push_back(right / (wrong + right + std::numeric_limits<double>::epsilon()));
  }
  for (std::size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  Curve curve;
  if (!recall.empty()) curve.recall = recall.back();
  for (int r = 0; r < kRecallSteps; ++r) {
    const auto at = std::ranges::lower_bound(recall, recall_of(r)) - recall.begin();
    if (at < static_cast<std::ptrdiff_t>(precision.size())) curve.precision[r] = precision[at];
  }
  return curve;
}

// The curves of one class and range of sizes with at most so many detections of a picture, one for each IoU. Empty
// where there is nothing to find.
std::vector<Curve> curves_of(const JudgedClass& judged, double most) {
  if (judged.truths == 0) return {};
  std::vector<const Judged*> chosen;
  for (const Judged& detection : judged.detections)
    if (static_cast<double>(detection.rank) < most) chosen.push_back(&detection);
  std::ranges::stable_sort(chosen, std::greater(), &Judged::score);
  std::vector<Curve> curves;
  for (int step = 0; step < kIouSteps; ++step) curves.push_back(curve_of(chosen, step, judged.truths));
  return curves;
}

// A mean of what there is.
class Mean {
 public:
  void add(double value) { sum_ += value, ++count_; }
  void add(const Curve& curve) {
    for (const double precision : curve.precision) add(precision);
  }
  double value() const { return count_ == 0 ? kNoTruth : sum_ / static_cast<double>(count_); }

 private:
  double sum_ = 0;
  std::size_t count_ = 0;
};

struct Means {
  std::array<Mean, kSizes.size()> ap, ar;
  std::array<Mean, kMostDetections.size()> ar_most;
  std::array<Mean, kIouSteps> ap_of_iou;
};

void add_class(const std::array<JudgedClass, kSizes.size()>& sizes, ClassPrecision& of_class, Means& means) {
  for (std::size_t size = 0; size < sizes.size(); ++size)
    for (const Curve& curve : curves_of(sizes[size], kMost)) {
      means.ap[size].add(curve);
      means.ar[size].add(curve.recall);
    }
  for (std::size_t most = 0; most < kMostDetections.size(); ++most)
    for (const Curve& curve : curves_of(sizes[0], kMostDetections[most])) means.ar_most[most].add(curve.recall);
  const std::vector<Curve> curves = curves_of(sizes[0], kMost);
  Mean ap;
  for (std::size_t step = 0; step < curves.size(); ++step) {
    of_class.precision[step] = curves[step].precision;
    means.ap_of_iou[step].add(curves[step]);
    ap.add(curves[step]);
  }
  of_class.ap = ap.value();
}

}  // namespace

DetectionScores average_precision(std::span<const MarkedPicture> pictures, bool masks,
                                  std::span<const std::string> labels) {
  std::map<std::string, std::vector<const MarkedPicture*>> pictures_of;  // that show or are said to show a class
  for (const std::string& label : labels) pictures_of[label];
  for (const MarkedPicture& picture : pictures)
    for (const MarkedObject& object : picture.truth) pictures_of[object.label];
  for (const MarkedPicture& picture : pictures)
    for (const auto* objects : {&picture.truth, &picture.found})
      for (const MarkedObject& object : *objects) {
        const auto at = pictures_of.find(object.label);
        if (at != pictures_of.end() && (at->second.empty() || at->second.back() != &picture))
          at->second.push_back(&picture);
      }

  DetectionScores scores;
  Means means;
  for (const auto& [label, shown] : pictures_of) {
    std::array<JudgedClass, kSizes.size()> sizes;
    for (const MarkedPicture* picture : shown) {
      const ClassInPicture in = select(*picture, label, masks);
      for (std::size_t size = 0; size < sizes.size(); ++size) judge(in, kSizes[size], sizes[size]);
    }
    add_class(sizes, scores.classes.emplace_back(ClassPrecision{.label = label}), means);
  }
  std::ranges::transform(means.ap_of_iou, scores.ap_of_iou.begin(), &Mean::value);
  scores.ap = means.ap[0].value(), scores.ap50 = scores.ap_of_iou[0], scores.ap75 = scores.ap_of_iou[5];
  scores.ap_small = means.ap[1].value(), scores.ap_medium = means.ap[2].value(), scores.ap_large = means.ap[3].value();
  scores.ar1 = means.ar_most[0].value(), scores.ar10 = means.ar_most[1].value(),
  scores.ar100 = means.ar_most[2].value();
  scores.ar_small = means.ar[1].value(), scores.ar_medium = means.ar[2].value(), scores.ar_large = means.ar[3].value();
  return scores;
}

}  // namespace paligemma
