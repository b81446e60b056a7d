// "name=number,name=number": what options with several numbers are written as.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>

namespace paligemma {

// Calls take(name, value) for each. Returns the first item that is none or that `take` returns false for, empty when
// all were taken.
template <class Take>
std::string_view read_named_numbers(std::string_view list, Take&& take) {
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view number = item.substr(std::min(item.size(), equals + 1));
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size() || !take(item.substr(0, equals), value))
      return item.empty() ? "," : item;
  }
  return {};
}

}  // namespace paligemma
