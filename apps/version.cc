// paligemma version.
#include <paligemma/paligemma.h>

#include "base/error.h"
#include "options.h"

namespace paligemma {
namespace {

int run_version(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const bool text = session.output.format == Format::text;
  session.output.write(text ? join("paligemma ", version(), "\n") : join("{\"version\":\"", version(), "\"}\n"));
  return 0;
}

}  // namespace

const Command kVersion{.name = "version",
                       .words = "",
                       .fewest_words = 0,
                       .most_words = 0,
                       .summary = "Print the version",
                       .examples = "  paligemma version\n",
                       .run = run_version};

}  // namespace paligemma
