#include "console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "report/printable.h"

namespace paligemma {
namespace {

bool is_terminal() { return isatty(STDERR_FILENO) == 1; }

void print(const std::string& text) {
  std::fputs(text.c_str(), stderr);  // nobody is left to be told when stderr is closed
  std::fflush(stderr);
}

}  // namespace

void Console::line(std::string_view prefix, const char* color_code, std::string_view message) {
  hide_progress();
  const char* no_color = std::getenv("NO_COLOR");
  const bool automatic = is_terminal() && (no_color == nullptr || *no_color == '\0');
  const bool colored = color == Color::always || (color == Color::automatic && automatic);
  print(colored && !prefix.empty() ? join("\33[", color_code, "m", prefix, "\33[0m", printable(message), "\n")
                                   : join(prefix, printable(message), "\n"));
}

void Console::error(std::string_view message) { line("paligemma: ", "31", message); }

void Console::warning(std::string_view message) {
  if (!quiet) line("warning: ", "33", message);
}

void Console::note(std::string_view message) {
  if (!quiet) line("", "", message);
}

void Console::detail(std::string_view message) {
  if (verbose && !quiet) line("", "", message);
}

void Console::begin_progress(std::size_t done) {
  started_ = Clock::now();
  begun_at_ = done;
}

void Console::show_progress(std::size_t done, std::size_t total, std::string_view current) {
  using namespace std::chrono_literals;
  const Clock::time_point now = Clock::now();
  const bool terminal = is_terminal();
  if (quiet || !progress) return;
  const bool first_bar = terminal && !bar_visible_;
  if (!first_bar && now - shown_ < (terminal ? Clock::duration(100ms) : Clock::duration(10s))) return;
  shown_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  std::string status = join(done, "/", total, "  ", readable_time(elapsed));
  if (done > begun_at_) {
    const auto left = static_cast<double>(total - done) / static_cast<double>(done - begun_at_) * elapsed;
    status += join(", ", readable_time(left), " left");
  }
  status += "  " + printable(current);
  if (!terminal) {
    print(status + "\n");
    return;
  }
  constexpr std::size_t kBarWidth = 24;
  const std::size_t filled = total == 0 ? 0 : kBarWidth * done / total;
  // Erases the line, and turns wrapping off while the bar is drawn so that a long name can't break it.
  print(
      join("\r\33[K\33[?7l[", std::string(filled, '#'), std::string(kBarWidth - filled, '.'), "] ", status, "\33[?7h"));
  bar_visible_ = true;
}

void Console::hide_progress() {
  if (bar_visible_) print("\r\33[K");
  bar_visible_ = false;
}

}  // namespace paligemma
