// Whether a short answer is right, as the evaluations of the data sets that ask for one define it. Each is of one
// question and in 0..1; big_vision's evaluators average them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace paligemma {

// Equal to any of the answers, character by character.
double exact_match(std::string_view prediction, std::span<const std::string> answers);

// VQAv2 (https://visualqa.org/evaluation.html): answers are those of ten people; given as three of nine others do, it
// is right. White space is cleaned up, and where the answers are not all the same the text as vqa_text() does.
double vqa_accuracy(std::string_view prediction, std::span<const std::string> answers);
// OKVQA, TextVQA and others: a third for each answer that is the same.
double simple_vqa_accuracy(std::string_view prediction, std::span<const std::string> answers);

// VQAv2's clean-up of a text: punctuation and articles go, number words become digits, contractions get their
// apostrophe.
std::string vqa_text(std::string_view text);
// Line ends and tabs become spaces, white space at the ends goes.
std::string vqa_spaces(std::string_view text);

// ChartQA (https://arxiv.org/abs/2203.10244): numbers may be 5 % off, "12%" is .12; anything else has to be equal.
double relaxed_match(std::string_view prediction, std::string_view answer);
// The number that a text is for Python's float(); "12%" is .12.
std::optional<double> read_number(std::string_view text);

// TallyQA: equal after number words up to twenty became digits.
double count_match(std::string_view prediction, std::string_view answer);
std::string count_text(std::string_view text);
// The number of things that an answer states, in digits or as such a word.
std::optional<double> read_count(std::string_view text);

// POPE: the answer's small letters are "yes" or "no". Nothing where they are neither.
std::optional<bool> read_yes_no(std::string_view text);

// ScienceQA: the letter in "The answer is C.", small; "failed" for any other text. Two of these are equal.
std::string choice_text(std::string_view text);

}  // namespace paligemma
