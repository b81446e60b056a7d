// What commands that write a model share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands.h"
#include "convert.h"

namespace paligemma {

// Calls `write`, which makes the model `name` and returns notes to print. It reports to `progress`, and gives up,
// leaving nothing half written, when `stop` says that a signal came.
void write_model(Session& session, std::string_view name,
                 const std::function<std::vector<std::string>(const ConvertProgress& progress,
                                                              const std::function<bool()>& stop)>& write);

}  // namespace paligemma
