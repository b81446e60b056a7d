// What the program tells people beside the result: warnings, progress and timings, all on stderr.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace paligemma {

enum class Color { automatic, always, never };

class Console {
 public:
  bool quiet = false;  // errors only
  bool verbose = false;
  bool progress = true;
  Color color = Color::automatic;  // automatic: on a terminal and without NO_COLOR in the environment

  // One line each, control characters escaped.
  void error(std::string_view message);    // always
  void warning(std::string_view message);  // unless quiet
  void note(std::string_view message);     // unless quiet
  void detail(std::string_view message);   // if verbose

  // Work begins now, of which `done` is done already: what is left is judged by what follows.
  void begin_progress(std::size_t done);
  // `done` of `total` pictures are ready and `current` is being worked on. On a terminal a bar that is redrawn at most
  // ten times a second, else a line every 10 s.
  void show_progress(std::size_t done, std::size_t total, std::string_view current);
  // Takes the bar away, to be called before anything else is written on the terminal.
  void hide_progress();

 private:
  void line(std::string_view prefix, const char* color_code, std::string_view message);

  using Clock = std::chrono::steady_clock;
  Clock::time_point started_ = Clock::now();
  Clock::time_point shown_ = started_;
  std::size_t begun_at_ = 0;
  bool bar_visible_ = false;
};

}  // namespace paligemma
