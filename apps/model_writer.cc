#include "model_writer.h"

#include "signals.h"

namespace paligemma {

void write_model(Session& session, std::string_view name,
                 const std::function<std::vector<std::string>(const ConvertProgress& progress,
                                                              const std::function<bool()>& stop)>& write) {
  defer_signals(true);
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    session.console.show_progress(done >> 20, total >> 20, name);
  };
  const auto notes = write(progress, interrupted);
  session.console.hide_progress();
  for (const std::string& note : notes) session.console.note(note);
}

}  // namespace paligemma
