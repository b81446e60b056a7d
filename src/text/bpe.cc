#include "text/bpe.h"

#include <algorithm>

#include "text/utf8.h"

namespace paligemma {

void PairMerger::encode(std::string_view text, std::vector<std::int32_t>& ids) {
  split(text);
  merge(text);
  for (std::int32_t i = 0; i >= 0 && !symbols_.empty(); i = symbols_[i].next) {
    const Symbol& symbol = symbols_[i];
    const std::string_view part = text.substr(symbol.begin, symbol.length);
    const std::int32_t id = symbol.id >= 0 ? symbol.id : vocabulary_.find(part);
    if (id >= 0) {
      ids.push_back(id);
    } else {
      for (const char c : part) ids.push_back(vocabulary_.byte(static_cast<std::uint8_t>(c)));
    }
  }
}

void PairMerger::split(std::string_view text) {
  symbols_.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto i = static_cast<std::int32_t>(symbols_.size());
    at += length;
    symbols_.push_back({.begin = static_cast<std::int32_t>(at - length),
                        .length = static_cast<std::int32_t>(length),
                        .previous = i - 1,
                        .next = at < text.size() ? i + 1 : -1});
  }
}

bool PairMerger::candidate(std::string_view text, std::int32_t left, Candidate& found) const {
  if (left < 0 || symbols_[left].next < 0) return false;
  const Symbol& symbol = symbols_[left];
  const std::int32_t length = symbol.length + symbols_[symbol.next].length;
  const Merge merge = vocabulary_.merge(text.substr(symbol.begin, length), symbol.length);
  found = {merge.score, left, length, merge.result};
  return merge.result >= 0;
}

void PairMerger::merge(std::string_view text) {
  queue_.clear();
  Candidate found;
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (candidate(text, static_cast<std::int32_t>(i), found)) queue_.push_back(found);
  }
  std::make_heap(queue_.begin(), queue_.end());
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end());
    const Candidate best = queue_.back();
    queue_.pop_back();
    Symbol& left = symbols_[best.left];
    if (left.length == 0 || left.next < 0 || left.length + symbols_[left.next].length != best.length) continue;
    Symbol& right = symbols_[left.next];
    left.length = best.length;
    left.id = best.id;
    left.next = right.next;
    right.length = 0;
    if (left.next >= 0) symbols_[left.next].previous = best.left;
    for (const std::int32_t i : {left.previous, best.left}) {
      if (candidate(text, i, found)) {
        queue_.push_back(found);
        std::push_heap(queue_.begin(), queue_.end());
      }
    }
  }
}

}  // namespace paligemma
