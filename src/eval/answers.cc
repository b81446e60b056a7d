#include "eval/answers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "text/characters.h"

namespace paligemma {
namespace {

constexpr std::array<std::string_view, 21> kNumberWords{
    "zero",     "one",     "two",     "three",     "four",     "five",     "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};

// The digits of a number word up to `last`; "none" is 0.
std::optional<std::string> digits_of(std::string_view word, std::size_t last) {
  if (word == "none") return "0";
  const auto found =
      std::find(kNumberWords.begin(), kNumberWords.begin() + static_cast<std::ptrdiff_t>(last) + 1, word);
  const auto number = static_cast<std::size_t>(found - kNumberWords.begin());
  return number <= last ? std::optional(std::to_string(number)) : std::nullopt;
}

std::ptrdiff_t times(std::string_view text, std::span<const std::string> answers) {
  return std::ranges::count(answers, text);
}

// A number in Python's spelling as C++ spells it: digits may be of any script, and an underscore may stand between two.
std::optional<std::string> plain_number(std::u32string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit_at = [&](std::size_t at) { return at < text.size() && is_digit(text[at]); };
    if (text[i] == U'_') {
      if (i == 0 || !digit_at(i - 1) || !digit_at(i + 1)) return {};
    } else if (digit_at(i)) {
      plain += static_cast<char>('0' + digit_value(text[i]));
    } else {
      if (text[i] > 0x7f) return {};
      plain += static_cast<char>(text[i]);
    }
  }
  return plain;
}

std::optional<double> python_float(std::string_view text) {
  const std::u32string characters = code_points(text);
  const auto plain = plain_number(strip(characters));
  if (!plain) return {};
  std::string_view rest = *plain;
  if (rest.starts_with('+')) {
    rest.remove_prefix(1);
    if (rest.starts_with('-')) return {};
  }
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end != rest.data() + rest.size() || rest.ends_with(')') || error == std::errc::invalid_argument) return {};
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(rest).c_str(), nullptr);
  return value;
}

}  // namespace

double exact_match(std::string_view prediction, std::span<const std::string> answers) {
  return times(prediction, answers) > 0 ? 1 : 0;
}

double simple_vqa_accuracy(std::string_view prediction, std::span<const std::string> answers) {
  return std::min(1.0, static_cast<double>(times(prediction, answers)) / 3);
}

double vqa_accuracy(std::string_view prediction, std::span<const std::string> answers) {
  if (answers.empty()) return 0;
  std::string given = vqa_spaces(prediction);
  std::vector<std::string> accepted;
  for (const std::string& answer : answers) accepted.push_back(vqa_spaces(answer));
  if (std::ranges::count(accepted, accepted.front()) != std::ssize(accepted)) {
    given = vqa_text(given);
    for (std::string& answer : accepted) answer = vqa_text(answer);
  }
  // The mean over people of what the others say.
  const auto same = static_cast<double>(times(given, accepted)), all = static_cast<double>(accepted.size());
  return ((all - same) * std::min(1.0, same / 3) + same * std::min(1.0, (same - 1) / 3)) / all;
}

std::optional<double> read_number(std::string_view text) {
  if (!text.ends_with('%')) return python_float(text);
  text = text.substr(0, text.find_last_not_of('%') + 1);
  const auto percent = python_float(text);
  return percent ? std::optional(*percent / 100) : std::nullopt;
}

double relaxed_match(std::string_view prediction, std::string_view answer) {
  const auto given = read_number(prediction), expected = read_number(answer);
  if (!given || !expected || *expected == 0) return prediction == answer ? 1 : 0;
  return std::abs(*given - *expected) / std::abs(*expected) <= 0.05 ? 1 : 0;
}

std::string count_text(std::string_view text) {
  return digits_of(lower_case(text), kNumberWords.size() - 1).value_or(std::string(text));
}

double count_match(std::string_view prediction, std::string_view answer) {
  return count_text(prediction) == count_text(answer) ? 1 : 0;
}

std::optional<double> read_count(std::string_view text) {
  const std::u32string characters = code_points(text);
  const auto number = python_float(count_text(utf8(strip(characters))));
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<bool> read_yes_no(std::string_view text) {
  const std::string small = lower_case(text);
  if (small != "yes" && small != "no") return {};
  return small == "yes";
}

std::string choice_text(std::string_view text) {
  constexpr std::string_view kOpening = "the answer is ";
  const std::string small = lower_case(text);
  const std::string_view rest = std::string_view(small).substr(std::min(kOpening.size(), small.size()));
  if (!small.starts_with(kOpening) || rest.size() < 2 || rest[0] < 'a' || rest[0] > 'z' || rest[1] != '.')
    return "failed";
  return std::string(rest.substr(0, 1));
}

std::string vqa_spaces(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '\n', ' ');
  std::ranges::replace(spaced, '\t', ' ');
  const std::u32string characters = code_points(spaced);
  return utf8(strip(characters));
}

}  // namespace paligemma
