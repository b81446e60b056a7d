#include "engine/draft.h"

#include <algorithm>

namespace paligemma {
namespace {

using Ids = std::span<const std::int32_t>;

// Of two ids in a row much else follows; four are found too seldom.
constexpr std::size_t kLongestMatch = 3, kShortestMatch = 2;

// A processor may have this much in its cache, from where weights come fast enough for one row: then more cost more.
constexpr std::size_t kInCache = std::size_t{64} << 20;

Ids at_most(Ids ids, std::size_t most) { return ids.first(std::min(ids.size(), most)); }

// Place of the last `part` in `ids`, ids.size() when there is none.
std::size_t last_place(Ids ids, Ids part) {
  return static_cast<std::size_t>(std::ranges::find_end(ids, part).begin() - ids.begin());
}

Ids rest_of_name(Ids answer, const DraftHints& hints) {
  const auto is_code = [&](std::int32_t id) {
    return id >= hints.first_code && id - hints.first_code < hints.code_count;
  };
  const auto tail = std::find_if(answer.rbegin(), answer.rend(), is_code);
  const auto before = std::find_if_not(tail, answer.rend(), is_code);
  if (hints.codes == 0 || static_cast<std::size_t>(before - tail) != hints.codes) return {};
  const Ids begun = answer.last(static_cast<std::size_t>(tail - answer.rbegin()));
  Ids best;
  std::size_t written = 0;
  for (const Ids name : hints.names) {
    if (name.size() <= begun.size() || !std::ranges::equal(name.first(begun.size()), begun)) continue;
    const std::size_t place = last_place(answer, name);
    const Ids rest = name.subspan(begun.size());
    if (place == answer.size()) return rest;
    if (best.empty() || place > written) best = rest, written = place;
  }
  return best;
}

Ids as_before(Ids answer) {
  for (std::size_t length = kLongestMatch; length >= kShortestMatch; --length) {
    if (answer.size() <= length) continue;
    const Ids earlier = answer.first(answer.size() - 1);
    const std::size_t place = last_place(earlier, answer.last(length));
    if (place != earlier.size()) return answer.subspan(place + length);
  }
  return {};
}

}  // namespace

std::vector<std::int32_t> draft(Ids answer, const DraftHints& hints, std::size_t most) {
  if (most == 0) return {};
  Ids likely = rest_of_name(answer, hints);
  if (likely.empty()) likely = as_before(answer);
  likely = at_most(likely, most);
  return {likely.begin(), likely.end()};
}

std::int64_t rows_for_drafts(DType weights, std::size_t bytes) {
  if (bytes <= kInCache) return 1;
  switch (weights) {
    case DType::int8: return 5;
    case DType::q8: return 3;
    case DType::q4: return 2;
    default: return 6;
  }
}

}  // namespace paligemma
