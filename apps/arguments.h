// Command lines. CLI11 finds the options; what is left are the command's words.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"

namespace paligemma {

// Parses the options into what was bound to `app` and returns the words between and, after --, behind them. Without a
// value when --help was asked for and has been printed. Throws Error{usage} for an option that is unknown (and names
// the nearest), lacks its value or has a bad one, and for too few or too many words.
std::optional<std::vector<std::string>> parse_arguments(CLI::App& app, const Command& command,
                                                        std::span<const std::string> arguments, Output& output);

// Throws Error{usage}: words are missing.
[[noreturn]] void too_few_words(const Command& command);

// An option with a value; `names` as CLI11 takes them ("-t,--threads"). Given twice, the last one counts. `take` may
// throw through bad_value().
CLI::Option* add_value(CLI::App& app, const std::string& names, std::string_view value_name,
                       std::function<void(const std::string&)> take, const std::string& help);

CLI::Option* add_text(CLI::App& app, const std::string& names, std::string_view value_name, std::string& target,
                      const std::string& help);

// A whole number in [low, high].
CLI::Option* add_number(CLI::App& app, const std::string& names, std::int64_t low, std::int64_t high,
                        std::function<void(std::int64_t)> take, const std::string& help);

template <class T>
struct Keyword {
  std::string word;
  T value;
};

// Throws Error{usage}: "--compute: expected auto, f32 or bf16, got int9". Names the nearest of `words`.
[[noreturn]] void bad_choice(const std::string& option, std::span<const std::string> words, const std::string& got);

// Throws Error{usage}: "not available in this version: --compute int8".
[[noreturn]] void not_available(std::string_view what);

// One word of several. The words of `later` are known but end in not_available().
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& target, std::vector<Keyword<T>> choices,
                        const std::string& help, std::vector<std::string> later = {}) {
  std::vector<std::string> words;
  for (const Keyword<T>& choice : choices) words.push_back(choice.word);
  const std::string value_name = CLI::detail::join(words, "|");
  return add_value(
      app, name, value_name,
      [name, &target, choices = std::move(choices), words = std::move(words),
       later = std::move(later)](const std::string& got) {
        for (const Keyword<T>& choice : choices) {
          if (choice.word == got) {
            target = choice.value;
            return;
          }
        }
        for (const std::string& word : later) {
          if (word == got) not_available(name + " " + word);
        }
        bad_choice(name, words, got);
      },
      help);
}

}  // namespace paligemma
