// What `detect` and `segment` share: LABELS IMAGE...
#pragma once

#include "commands.h"

namespace paligemma {

// The whole command, for Task::detect or Task::segment.
int find_labels(Task task, const Command& command, std::span<const std::string> arguments, Session& session);

}  // namespace paligemma
