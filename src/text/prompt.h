// The words of each task, and how words and pictures become one row of ids.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace paligemma {

// The prompt of a request, without the final newline: "caption en", "detect cat ; dog", ...; Task::run gives its text
// as it is. `region` is the loc tokens of Request::region (detect/loc.h).
//
// Labels, questions and answers are data. Error{usage, "label_tokens"} for one that holds a loc, seg or control token,
// a control character, or in a label ";". Newlines at their end are dropped. Also Error{usage, "label_empty"},
// Error{usage, "question_empty"}, Error{usage, "answer_empty"}, Error{usage, "language"} (letters, digits and hyphens),
// Error{usage, "region"} for a region of another task than caption, and a language or length beside one, and
// Error{usage, "suffix_image"} for a suffix with `<image>`: not every model has a row for it.
std::string prompt_text(const Request& request, std::string_view region = {});

// Whether a prompt is of the task detect, whoever wrote it.
bool asks_to_detect(std::string_view prompt);

// The task that a prompt begins with and its language, "answer.en", "detect"; "other" where it is none of those.
std::string prompt_group(std::string_view prompt);

// The labels of such a prompt; none where it asks for "all classes".
std::vector<std::string> asked_labels(std::string_view prompt);
inline constexpr std::string_view kAllClasses = "all classes";

// The token that stands for "not an object" in the place of a label (engine/noise_boxes.h): `<unused0>`, or where
// the tokenizer has no such piece `<bos>`, which no answer has.
std::string_view noise_label(const Tokenizer& tokenizer);

// "chair ; table" or, where there is no ";", "chair, table" -> its labels, without white space around them. Throws
// Error{usage, "label_empty"} when there is none.
std::vector<std::string> split_labels(std::string_view text);

struct Prompt {
  std::vector<std::int32_t> ids;  // image tokens, `<bos>`, words and newline
  std::int64_t prefix = 0;        // ids.size(); what is appended later is the answer
  bool trailing_newline = false;  // the words already ended in a newline, which makes it a piece of two
};

// Whether the prompt of a request spells special tokens: that of `run`, and one that is made of a region's.
inline Specials specials_of(const Request& request) {
  return request.task == Task::run || (request.task == Task::caption && request.region) ? Specials::tokens
                                                                                        : Specials::text;
}

// Lays out the prompt as transformers' processor does: `image_tokens` times `<image>` for each picture, `<bos>`, and
// the prompt with its final newline, tokenised together. With Specials::tokens an `<image>` that the prompt spells
// stays in its place, and `<bos>` follows the last one; a `<bos>` that it spells is one more.
//
// Throws Error{usage, "image_count"} unless the prompt spells `<image>` never or once for each picture, and
// Error{model, "tokenizer"} for pictures without an `<image>` in the tokenizer.
Prompt layout_prompt(const Tokenizer& tokenizer, std::string_view prompt, int pictures, int image_tokens,
                     Specials specials);

}  // namespace paligemma
