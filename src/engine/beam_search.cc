#include "engine/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ranges>

namespace paligemma {
namespace {

// A live hypothesis and one of the ways it can go on.
struct Extension {
  std::size_t parent = 0;
  Continuations::Next next{};
  double sum = 0;
};

// The `most` best of all, equal ones by parent and place.
std::vector<Extension> best_extensions(std::span<const Hypothesis> live, std::span<const Continuations> of_live,
                                       std::size_t most) {
  std::vector<Extension> all;
  for (std::size_t parent = 0; parent < of_live.size(); ++parent)
    for (const Continuations::Next& next : of_live[parent].best)
      all.push_back({parent, next, live[parent].sum + next.logprob});
  std::ranges::stable_sort(all, std::greater<>(), &Extension::sum);
  all.resize(std::min(all.size(), most));
  return all;
}

Hypothesis extended(const Hypothesis& parent, std::int32_t id, double logprob) {
  Hypothesis out = parent;
  out.ids.push_back(id);
  out.logprobs.push_back(logprob);
  out.sum += logprob;
  return out;
}

}  // namespace

BeamSearch::BeamSearch(const Beams& beams, std::int32_t eos, int max_tokens)
    : beams_(beams), eos_(eos), max_tokens_(max_tokens) {}

Continuations BeamSearch::continuations(std::span<const float> logits, const Allowed& allowed) const {
  const std::size_t most = beams_.score == BeamScore::sum ? count() + 1 : 2 * count();
  std::vector<std::int32_t> ids(std::min(most, static_cast<std::size_t>(allowed.count)));
  const auto logit = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
  const auto sorted = std::ranges::partial_sort_copy(
      std::views::iota(std::int32_t{0}, static_cast<std::int32_t>(allowed.count)) |
          std::views::filter([&](std::int32_t id) { return allowed.has(id); }),
      ids, [&](std::int32_t a, std::int32_t b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  ids.erase(sorted.out, ids.end());
  const double whole = log_sum_exp(logits);
  Continuations out{.best = {}, .eos = static_cast<double>(logit(eos_)) - whole};
  if (!allowed.has(eos_)) out.eos = -std::numeric_limits<double>::infinity();
  for (const std::int32_t id : ids) out.best.push_back({id, static_cast<double>(logit(id)) - whole});
  return out;
}

std::vector<std::size_t> BeamSearch::advance(std::span<const Continuations> of_live) {
  ++length_;
  return beams_.score == BeamScore::sum ? advance_sum(of_live) : advance_mean(of_live);
}

// Keeps the `most` best, earlier ones before equal later ones.
void BeamSearch::finish(Hypothesis hypothesis, std::size_t most) {
  const auto place = std::ranges::upper_bound(finished_, hypothesis.score, std::greater<>(), &Hypothesis::score);
  finished_.insert(place, std::move(hypothesis));
  if (finished_.size() > most) finished_.pop_back();
}

std::vector<std::size_t> BeamSearch::advance_mean(std::span<const Continuations> of_live) {
  const double divisor = std::pow(static_cast<double>(length_), beams_.length_penalty);
  const bool at_limit = length_ >= max_tokens_;
  std::vector<Hypothesis> next;
  std::vector<std::size_t> parents;
  const std::vector<Extension> best = best_extensions(live_, of_live, 2 * count());
  for (std::size_t i = 0; i < best.size(); ++i) {
    const bool ends = at_limit || best[i].next.id == eos_;
    if (ends ? i >= count() : next.size() == count()) continue;
    Hypothesis hypothesis = extended(live_[best[i].parent], best[i].next.id, best[i].next.logprob);
    if (ends) {
      hypothesis.score = hypothesis.sum / divisor;
      finish(std::move(hypothesis), count());
    } else {
      next.push_back(std::move(hypothesis));
      parents.push_back(best[i].parent);
    }
  }
  live_ = std::move(next);
  const bool full = finished_.size() == count();
  if (full && !live_.empty() && !(live_.front().sum / divisor > finished_.back().score)) return {};
  return parents;
}

std::vector<std::size_t> BeamSearch::advance_sum(std::span<const Continuations> of_live) {
  for (std::size_t i = 0; i < live_.size(); ++i) {
    Hypothesis closed = extended(live_[i], eos_, of_live[i].eos);
    closed.score = closed.sum;
    finish(std::move(closed), 1);
  }
  if (length_ >= max_tokens_) return {};
  std::vector<Hypothesis> next;
  std::vector<std::size_t> parents;
  for (const Extension& extension : best_extensions(live_, of_live, live_.size() * (count() + 1))) {
    if (extension.next.id == eos_ || next.size() == count()) continue;
    next.push_back(extended(live_[extension.parent], extension.next.id, extension.next.logprob));
    parents.push_back(extension.parent);
  }
  live_ = std::move(next);
  if (live_.empty() || live_.front().sum < finished_.front().score) return {};
  return parents;
}

}  // namespace paligemma
