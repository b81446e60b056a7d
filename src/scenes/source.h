// The drawn world as a data set that has no files: scenes are drawn when they are asked for, other ones in each epoch.
#pragma once

#include <string_view>

#include "data/dataset.h"

namespace paligemma::world {

// "scenes:SEED", and behind it as many as wanted of ":COUNT:SIDE:SCALE" (SceneOptions). A scene of epoch e is that of
// the number e * COUNT + what it would be in the first.
bool names_scenes(std::string_view name);

// kQuestions samples of each of COUNT scenes (10,000), one behind the other: of every task, which of them by chance.
// Throws Error{usage, "scenes"} for what is no such name.
inline constexpr std::size_t kQuestions = 12;
Dataset open_scenes(std::string_view name);

}  // namespace paligemma::world
