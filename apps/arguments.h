// Command lines. What finds the options, CLI11, is known to arguments.cc alone: its headers are slow to compile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"

namespace CLI {
class App;
}

namespace paligemma {

// Throws Error{usage}: words are missing.
[[noreturn]] void too_few_words(const Command& command);

// Throws Error{usage}: "--compute: expected auto, f32 or bf16, got int9". Names the nearest of `words`.
[[noreturn]] void bad_choice(const std::string& option, std::span<const std::string> words, const std::string& got);

// Throws Error{usage}: "not available in this version: --compute int8".
[[noreturn]] void not_available(std::string_view what);

template <class T>
struct Keyword {
  std::string word;
  T value;
};

// The options of one command; what is left of the line are its words. Each option stands in --help under its `group`,
// or not at all when that is empty. `names` are "--long" or "-s,--long". Given twice, the last one counts, but for
// each().
class Arguments {
 public:
  Arguments();
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // True when given.
  void flag(const std::string& group, const std::string& names, bool& target, const std::string& help);

  // Takes effect while the line is parsed, so that what is wrong further on is said as it asks.
  void early_flag(const std::string& group, const std::string& names, std::function<void()> take,
                  const std::string& help);

  // An option with a value. `take` may throw through bad_choice() and not_available().
  void value(const std::string& group, const std::string& names, std::string_view value_name,
             std::function<void(const std::string&)> take, const std::string& help);

  // The same for an option that may be given several times: `take` sees each value in turn.
  void values(const std::string& group, const std::string& names, std::string_view value_name,
              std::function<void(const std::string&)> take, const std::string& help);

  // A value that anything made of a string can hold: std::string, std::filesystem::path.
  template <class T>
  void text(const std::string& group, const std::string& names, std::string_view value_name, T& target,
            const std::string& help) {
    value(group, names, value_name, [&target](const std::string& got) { target = got; }, help);
  }

  // A whole number in [low, high].
  template <class T>
  void number(const std::string& group, const std::string& names, std::int64_t low, std::int64_t high, T& target,
              const std::string& help) {
    whole_number(group, names, low, high, [&target](std::int64_t got) { target = static_cast<T>(got); }, help);
  }

  // A number in [low, high].
  void real(const std::string& group, const std::string& names, double low, double high, double& target,
            const std::string& help);

  // One word of several. The words of `later` are known but end in not_available().
  template <class T>
  void choice(const std::string& group, const std::string& name, T& target, std::vector<Keyword<T>> choices,
              const std::string& help, std::vector<std::string> later = {}) {
    std::vector<std::string> words;
    for (const Keyword<T>& choice : choices) words.push_back(choice.word);
    one_of(
        group, name, std::move(words), std::move(later),
        [&target, choices = std::move(choices)](std::size_t i) { target = choices[i].value; }, help);
  }

  // Parses the options into what they are bound to and returns the words between and, after --, behind them. Without a
  // value when --help was asked for and has been printed. Throws Error{usage} for an option that is unknown (and names
  // the nearest), lacks its value or has a bad one, and for too few or too many words.
  std::optional<std::vector<std::string>> parse(const Command& command, std::span<const std::string> line,
                                                Output& output);

 private:
  void whole_number(const std::string& group, const std::string& names, std::int64_t low, std::int64_t high,
                    std::function<void(std::int64_t)> take, const std::string& help);
  void one_of(const std::string& group, const std::string& name, std::vector<std::string> words,
              std::vector<std::string> later, std::function<void(std::size_t)> take, const std::string& help);

  std::unique_ptr<CLI::App> app_;
};

// Throws Error{usage, "usage"} where an option that the command cannot do without has no value.
void require_given(const Command& command, std::string_view option, std::string_view value, std::string_view example);

}  // namespace paligemma
