#include "eval/text_distance.h"

#include <algorithm>
#include <numeric>

#include "text/characters.h"

namespace paligemma {
namespace {

// `Text` has size() and operator[]. One row of the table is kept, of the length of the shorter text.
template <class Text>
std::size_t levenshtein(const Text& a, const Text& b) {
  if (a.size() < b.size()) return levenshtein(b, a);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Two or more of any white space become one space.
std::u32string without_multiple_spaces(std::u32string_view text) {
  std::u32string single;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_space(text[end])) ++end;
    if (end - at >= 2) {
      single += U' ';
      at = end;
    } else {
      single += text[at++];
    }
  }
  return single;
}

std::vector<std::u32string> words_between_spaces(std::string_view text) {
  const std::u32string single = without_multiple_spaces(code_points(text));
  std::u32string_view rest = strip(single);
  std::vector<std::u32string> words;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(U' '), rest.size());
    if (end > 0) words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words;
}

double similarity(std::u32string_view prediction, std::u32string_view answer) {
  if (answer.empty()) return prediction.empty() ? 1 : 0;
  const double distance = static_cast<double>(edit_distance(answer, prediction)) /
                          static_cast<double>(std::max(answer.size(), prediction.size()));
  return distance < 0.5 ? 1 - distance : 0;
}

}  // namespace

std::size_t edit_distance(std::u32string_view a, std::u32string_view b) { return levenshtein(a, b); }

std::size_t edit_distance(std::span<const std::u32string> a, std::span<const std::u32string> b) {
  return levenshtein(a, b);
}

ErrorRate character_errors(std::string_view reference, std::string_view prediction) {
  const std::u32string expected = code_points(reference), actual = code_points(prediction);
  const std::u32string_view stripped = strip(expected);
  return {.edits = edit_distance(stripped, strip(actual)), .length = stripped.size()};
}

ErrorRate word_errors(std::string_view reference, std::string_view prediction) {
  const std::vector<std::u32string> expected = words_between_spaces(reference);
  return {.edits = edit_distance(expected, words_between_spaces(prediction)), .length = expected.size()};
}

double anls(std::string_view prediction, std::span<const std::string> answers, bool small_letters) {
  const auto read = [&](std::string_view text) {
    return small_letters ? lower_case(code_points(text)) : code_points(text);
  };
  const std::u32string given = read(prediction);
  double best = 0;
  for (const std::string& answer : answers) best = std::max(best, similarity(given, read(answer)));
  return best;
}

}  // namespace paligemma
