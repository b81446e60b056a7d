#include "arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
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

void too_few_words(const Command& command) {
  fail(ErrorKind::usage, "usage", command.name, ": expected ", command.words, ", got less. Try: paligemma ",
       command.name, " --help");
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

Arguments::Arguments() : app_(std::make_unique<CLI::App>()) {}
Arguments::~Arguments() = default;

void Arguments::flag(const std::string& group, const std::string& names, bool& target, const std::string& help) {
  app_->add_flag(names, target, help)->group(group);
}

void Arguments::early_flag(const std::string& group, const std::string& names, std::function<void()> take,
                           const std::string& help) {
  app_->add_flag_callback(names, std::move(take), help)->trigger_on_parse()->group(group);
}

void Arguments::value(const std::string& group, const std::string& names, std::string_view value_name,
                      std::function<void(const std::string&)> take, const std::string& help) {
  app_->add_option_function<std::string>(names, std::move(take), help)
      ->type_name(std::string(value_name))
      ->take_last()
      ->group(group);
}

void Arguments::values(const std::string& group, const std::string& names, std::string_view value_name,
                       std::function<void(const std::string&)> take, const std::string& help) {
  const auto take_all = [take = std::move(take)](const std::vector<std::string>& all) {
    for (const std::string& one : all) take(one);
  };
  app_->add_option_function<std::vector<std::string>>(names, take_all, help)
      ->type_name(std::string(value_name))
      ->allow_extra_args(false)  // one value each time it is given
      ->group(group);
}

void Arguments::whole_number(const std::string& group, const std::string& names, std::int64_t low, std::int64_t high,
                             std::function<void(std::int64_t)> take, const std::string& help) {
  const auto take_number = [name = long_name(names), low, high, take = std::move(take)](const std::string& got) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), number);
    if (error != std::errc() || end != got.data() + got.size() || number < low || number > high)
      fail(ErrorKind::usage, "bad_value", name, ": expected a whole number from ", low, " to ", high, ", got ", got);
    take(number);
  };
  value(group, names, "N", take_number, help);
}

void Arguments::real(const std::string& group, const std::string& names, double low, double high, double& target,
                     const std::string& help) {
  const auto take = [name = long_name(names), low, high, &target](const std::string& got) {
    double number = 0;
    const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), number);
    if (error != std::errc() || end != got.data() + got.size() || !(number >= low && number <= high))
      fail(ErrorKind::usage, "bad_value", name, ": expected a number from ", low, " to ", high, ", got ", got);
    target = number;
  };
  value(group, names, "X", take, help);
}

void Arguments::one_of(const std::string& group, const std::string& name, std::vector<std::string> words,
                       std::vector<std::string> later, std::function<void(std::size_t)> take, const std::string& help) {
  const std::string value_name = CLI::detail::join(words, "|");
  const auto take_word = [name, words = std::move(words), later = std::move(later),
                          take = std::move(take)](const std::string& got) {
    if (const auto word = std::ranges::find(words, got); word != words.end())
      return take(static_cast<std::size_t>(word - words.begin()));
    if (std::ranges::count(later, got) != 0) not_available(name + " " + got);
    bad_choice(name, words, got);
  };
  value(group, name, value_name, take_word, help);
}

std::optional<std::vector<std::string>> Arguments::parse(const Command& command, std::span<const std::string> line,
                                                         Output& output) {
  CLI::App& app = *app_;
  app.allow_extras();
  app.set_help_flag();
  app.add_flag_callback("-h,--help", [] { throw CLI::CallForHelp(); }, "Print this")->trigger_on_parse();
  try {
    app.parse(std::vector<std::string>(line.rbegin(), line.rend()));  // CLI11 takes the last one first
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

void require_given(const Command& command, std::string_view option, std::string_view value, std::string_view example) {
  if (value.empty())
    fail(ErrorKind::usage, "usage", command.name, ": expected ", option, ", got none. Try: ", option, " ", example);
}

}  // namespace paligemma
