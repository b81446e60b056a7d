// Something found, as the tests of drawing ask for it.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace paligemma {

inline Object object(std::string label, std::array<double, 4> box, std::optional<double> score = {}) {
  return {.label = std::move(label), .label_index = 0, .box = box, .score = score};
}

}  // namespace paligemma
