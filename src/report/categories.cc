#include <algorithm>

#include "report/annotations.h"

namespace paligemma {

std::string category_name(const Object& object) { return object.label.empty() ? "object" : object.label; }

Categories::Categories(std::span<const std::string> labels) {
  for (const std::string& label : labels) place_name(label);
}

std::size_t Categories::place_name(const std::string& name) {
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  names_.push_back(name);
  return names_.size() - 1;
}

}  // namespace paligemma
