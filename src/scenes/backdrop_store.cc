#include <algorithm>

#include "scenes/backdrop.h"

namespace paligemma::world {

std::shared_ptr<const Picture> BackdropStore::find(const Backdrop& backdrop, int side) {
  const Name name{backdrop.place, backdrop.key, side};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(name); found != entries_.end()) {
      found->second.used = ++asked_;
      return found->second.picture;
    }
  }
  auto picture = std::make_shared<const Picture>(paint_backdrop(backdrop, side));
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = entries_.try_emplace(name, Entry{picture, ++asked_});
  if (is_new) bytes_ += picture->rgb.size();
  while (bytes_ > max_bytes_ && entries_.size() > 1) drop_oldest();
  return picture;
}

void BackdropStore::drop_oldest() {
  const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.used; });
  bytes_ -= oldest->second.picture->rgb.size();
  entries_.erase(oldest);
}

}  // namespace paligemma::world
