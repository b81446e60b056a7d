#include "train/dense_head.h"

#include <cmath>
#include <numeric>

#include "base/random.h"

namespace paligemma {
namespace {

constexpr std::array<std::string_view, kDenseQuestions> kNames{"thing", "top",         "left",        "bottom",
                                                               "right", "left_letter", "right_letter"};

// Questions whose answers count together.
struct Kind {
  DenseQuestion first, last;
};
constexpr std::array kKinds{Kind{DenseQuestion::thing, DenseQuestion::thing},
                            Kind{DenseQuestion::top, DenseQuestion::right},
                            Kind{DenseQuestion::left_letter, DenseQuestion::right_letter}};

View take_rows(Pass& pass, ConstView x, std::span<const std::int64_t> rows) {
  std::vector<Sequence> each;
  for (const std::int64_t row : rows) each.push_back({.row = row, .rows = 1});
  return last_rows(pass, x, each, std::vector<std::int64_t>(rows.size(), 1));
}

}  // namespace

DenseHead::DenseHead(Backend& backend, std::int64_t width, std::uint64_t seed, Parameters& parameters) {
  std::uint64_t drawn = 0;
  for (std::size_t i = 0; i < kDenseQuestions; ++i) {
    maps_[i] = backend.make_matrix(width, width, DType::f32);
    std::vector<float> values(static_cast<std::size_t>(width * width));
    const double range = std::sqrt(3 / static_cast<double>(width));  // of a uniform one with a variance of 1 / width
    for (float& value : values) value = static_cast<float>(range * (2 * uniform(seed, drawn++) - 1));
    parameters.add({.name = join(kDenseHeadName, kNames[i], ".weight"),
                    .shape = {width, width},
                    .placed = &maps_[i],
                    .matrix = true,
                    .table = true},
                   {DType::f32, {width, width}, std::as_bytes(std::span(values))});
  }
}

double DenseHead::loss(Pass& pass, ConstView tokens, const Weight& table, float cap, const DenseTargets& targets,
                       double weight, const SoftTargets* soft) const {
  double sum = 0;
  for (const Kind& kind : kKinds) {
    std::size_t asked = 0;
    for (auto i = static_cast<std::size_t>(kind.first); i <= static_cast<std::size_t>(kind.last); ++i)
      asked += targets[i].rows.size();
    for (auto i = static_cast<std::size_t>(kind.first); i <= static_cast<std::size_t>(kind.last); ++i) {
      const DenseRows& of = targets[i];
      if (of.rows.empty()) continue;
      const View answers = linear(pass, take_rows(pass, tokens, of.rows), maps_[i]);
      const std::vector<float> weights(of.rows.size(), static_cast<float>(weight / static_cast<double>(asked)));
      std::vector<float> losses(of.rows.size());
      const auto judge = [&] { head_cross_entropy(pass, answers, table, cap, {of.targets, weights, 0, soft}, losses); };
      pass.tape ? pass.tape->run_without(table, judge) : judge();
      sum += std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(asked);
    }
  }
  return sum;
}

}  // namespace paligemma
