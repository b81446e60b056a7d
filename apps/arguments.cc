#include "arguments.h"

#include <cctype>
#include <charconv>

#include "base/error.h"
#include "nearest.h"

namespace paligemma {
namespace {

std::string long_name(const std::string& names) { return names.substr(names.rfind("--")); }

std::string help_text(const CLI::App& app, const Command& command) {
  CLI::Formatter formatter;
  formatter.column_width(40);
  std::string text = join("paligemma ", command.name, " ", command.words, "\n\n", command.summary, "\n");
  text += formatter.make_groups(&app, CLI::AppFormatMode::Normal) + join("\nExamples:\n", command.examples);
  for (std::size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 1);
  return text;
}

// "--xyz" and "-x", but not "-", "-5" or "- a dash".
bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         (word[1] == '-' || std::isalpha(static_cast<unsigned char>(word[1])) != 0);
}

[[noreturn]] void unknown_option(const CLI::App& app, const Command& command, const std::string& word) {
  const std::string option = word.substr(0, word.find('='));
  std::vector<std::string> names;
  for (const CLI::Option* known : app.get_options()) {
    for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
  }
  const std::string near = option.starts_with("--") ? nearest(option, names) : std::string();
  fail(ErrorKind::usage, "unknown_option", "unknown option: ", option,
       ". Try: ", near.empty() ? join("paligemma ", command.name, " --help") : near);
}

}  // namespace

std::optional<std::vector<std::string>> parse_arguments(CLI::App& app, const Command& command,
                                                        std::span<const std::string> arguments, Output& output) {
  app.allow_extras();
  app.set_help_flag();
  app.add_flag_callback("-h,--help", [] { throw CLI::CallForHelp(); }, "Print this")->trigger_on_parse();
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes the last one first
  } catch (const CLI::CallForHelp&) {
    output.write(help_text(app, command));
    return std::nullopt;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string what = error.what();  // begins with the option's name and a colon
    fail(ErrorKind::usage, "usage", what.substr(0, what.find(':')), ": expected a value, got none");
  } catch (const CLI::ParseError& error) {
    fail(ErrorKind::usage, "usage", error.what());
  }
  std::vector<std::string> words;
  bool options_ended = false;
  for (const std::string& word : app.remaining()) {
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && looks_like_option(word)) {
      unknown_option(app, command, word);
    } else {
      words.push_back(word);
    }
  }
  if (words.size() < command.fewest_words) too_few_words(command);
  if (words.size() > command.most_words) {
    fail(ErrorKind::usage, "usage", command.name, ": expected ", command.words.empty() ? "nothing more" : command.words,
         ", got ", words[command.most_words], " too");
  }
  return words;
}

void too_few_words(const Command& command) {
  fail(ErrorKind::usage, "usage", command.name, ": expected ", command.words, ", got less. Try: paligemma ",
       command.name, " --help");
}

CLI::Option* add_value(CLI::App& app, const std::string& names, std::string_view value_name,
                       std::function<void(const std::string&)> take, const std::string& help) {
  return app.add_option_function<std::string>(names, std::move(take), help)
      ->type_name(std::string(value_name))
      ->take_last();
}

CLI::Option* add_text(CLI::App& app, const std::string& names, std::string_view value_name, std::string& target,
                      const std::string& help) {
  return add_value(app, names, value_name, [&target](const std::string& got) { target = got; }, help);
}

CLI::Option* add_number(CLI::App& app, const std::string& names, std::int64_t low, std::int64_t high,
                        std::function<void(std::int64_t)> take, const std::string& help) {
  return add_value(
      app, names, "N",
      [name = long_name(names), low, high, take = std::move(take)](const std::string& got) {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), value);
        if (error != std::errc() || end != got.data() + got.size() || value < low || value > high) {
          fail(ErrorKind::usage, "bad_value", name, ": expected a whole number from ", low, " to ", high, ", got ",
               got);
        }
        take(value);
      },
      help);
}

void bad_choice(const std::string& option, std::span<const std::string> words, const std::string& got) {
  std::string expected = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) expected += (i + 1 < words.size() ? ", " : " or ") + words[i];
  const std::string near = nearest(got, words);
  fail(ErrorKind::usage, "bad_value", option, ": expected ", expected, ", got ", got,
       near.empty() ? std::string() : ". Try: " + option + " " + near);
}

void not_available(std::string_view what) {
  fail(ErrorKind::usage, "not_available", "not available in this version: ", what);
}

}  // namespace paligemma
