// What commands that write a model share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands.h"
#include "convert.h"

namespace paligemma {

// `write` makes the model `name` and returns notes; it is given what shows its progress and what asks for a signal,
// which removes what is half written.
void write_model(Session& session, std::string_view name,
                 const std::function<std::vector<std::string>(const ConvertProgress& progress,
                                                              const std::function<bool()>& stop)>& write);

}  // namespace paligemma
