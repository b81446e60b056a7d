#include "text/prompt.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::string_view kDetect = "detect ";
constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `text` is the inside of "<...>": the name and then only digits.
bool is_numbered(std::string_view text, std::string_view name) {
  return text.starts_with(name) && text.size() > name.size() &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(name.size()), text.end(), is_digit);
}

// The first token in `text` that would not be read as words, or nothing.
std::string_view control_token(std::string_view text) {
  constexpr std::string_view kNames[] = {"pad", "eos", "bos", "unk", "image", "mask", "start_of_turn", "end_of_turn"};
  for (std::size_t open = text.find('<'); open != text.npos; open = text.find('<', open + 1)) {
    const std::size_t close = text.find_first_of("<>", open + 1);
    if (close == text.npos) break;
    if (text[close] != '>') continue;
    const std::string_view inside = text.substr(open + 1, close - open - 1);
    if (is_numbered(inside, "loc") || is_numbered(inside, "seg") || std::ranges::count(kNames, inside)) {
      return text.substr(open, close - open + 1);
    }
  }
  return {};
}

// Whether `text` has a character of Unicode's class Cc: U+0000 to U+001F, U+007F to U+009F.
bool has_control_character(std::string_view text) {
  unsigned char previous = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (previous == 0xc2 && byte < 0xa0)) return true;
    previous = byte;
  }
  return false;
}

// The beginning of what the user gave, for a message.
std::string_view shown(std::string_view text) { return text.substr(0, 200); }

// Refuses text that is more than words. `what`: "label", "question" or "answer".
void check_words(std::string_view text, std::string_view what) {
  std::string_view got = control_token(text);
  if (got.empty() && has_control_character(text)) got = "a control character";
  if (got.empty()) return;
  fail(ErrorKind::usage, "label_tokens", "cannot use the ", what, ": \"", shown(text), "\": expected words, got ",
       shown(got), ". Try: use run, where tokens are what they spell");
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) + 1 - begin);
}

std::string_view without_newlines_at_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of("\r\n") + 1);
}

std::string objects_prompt(std::string_view verb, const std::vector<std::string>& labels) {
  if (labels.empty()) fail(ErrorKind::usage, "label_empty", "cannot ", verb, ": expected a label, got none");
  std::string prompt(verb);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string_view label = trim(labels[i]);
    if (label.empty()) fail(ErrorKind::usage, "label_empty", "cannot ", verb, ": expected words, got an empty label");
    check_words(label, "label");
    if (label.find(';') != label.npos) {
      fail(ErrorKind::usage, "label_tokens", "cannot use the label: \"", shown(label),
           "\": expected words, got \";\", which separates labels. Try: use run");
    }
    prompt.append(i == 0 ? " " : " ; ").append(label);
  }
  return prompt;
}

const std::string& checked_language(const std::string& language) {
  const auto allowed = [](unsigned char c) { return c == '-' || (c < 0x80 && std::isalnum(c)); };
  if (language.empty() || !std::all_of(language.begin(), language.end(), allowed)) {
    fail(ErrorKind::usage, "language", "cannot use the language: expected a code like en or pt-br, got \"",
         shown(language), "\"");
  }
  return language;
}

std::string caption_prompt(const Request& request, std::string_view region) {
  if (request.region) {
    if (request.language != "en" || request.length != CaptionLength::brief)
      fail(ErrorKind::usage, "region", "cannot caption a box: expected no language and no length beside it");
    return join("caption ", region);
  }
  const char* verb = request.length == CaptionLength::brief      ? "caption "
                     : request.length == CaptionLength::detailed ? "describe "
                                                                 : "cap ";
  return verb + checked_language(request.language);
}

// `what` the text is: "question" or "answer".
std::string text_prompt(std::string_view verb, const Request& request, std::string_view what) {
  const std::string_view text = without_newlines_at_end(request.text);
  if (trim(text).empty())
    fail(ErrorKind::usage, join(what, "_empty"), "cannot ask: expected the text of the ", what, ", got none");
  check_words(text, what);
  return join(verb, " ", checked_language(request.language), " ", text);
}

}  // namespace

std::string prompt_text(const Request& request, std::string_view region) {
  if (request.suffix.find(kImageToken) != request.suffix.npos)
    fail(ErrorKind::usage, "suffix_image", "cannot begin the answer with \"", shown(request.suffix),
         "\": expected text, got <image>, which stands for a picture and belongs in the prompt");
  if (request.region && request.task != Task::caption)
    fail(ErrorKind::usage, "region", "cannot ask about a box: expected the task caption, got another");
  switch (request.task) {
    case Task::caption: return caption_prompt(request, region);
    case Task::ocr: return "ocr";
    case Task::ask: return text_prompt("answer", request, "question");
    case Task::question: return text_prompt("question", request, "answer");
    case Task::detect: return objects_prompt("detect", request.labels);
    case Task::segment: return objects_prompt("segment", request.labels);
    case Task::run: break;
  }
  return request.text;
}

bool asks_to_detect(std::string_view prompt) { return prompt.starts_with(kDetect); }

std::vector<std::string> asked_labels(std::string_view prompt) {
  std::string_view rest = prompt.substr(std::min(prompt.size(), kDetect.size()));
  std::vector<std::string> labels;
  if (!asks_to_detect(prompt) || trim(rest) == kAllClasses) return labels;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    if (const auto label = trim(rest.substr(0, end)); !label.empty()) labels.emplace_back(label);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return labels;
}

std::string prompt_group(std::string_view prompt) {
  constexpr std::array<std::string_view, 5> kInLanguages{"caption", "cap", "describe", "answer", "question"};
  constexpr std::array<std::string_view, 3> kInNone{"detect", "ocr", "segment"};
  const std::string_view task = prompt.substr(0, prompt.find_first_of(" \n"));
  if (std::ranges::find(kInNone, task) != kInNone.end()) return std::string(task);
  std::string_view rest = prompt.substr(std::min(prompt.size(), task.size() + 1));
  rest = rest.substr(0, rest.find_first_of(" \n"));
  if (std::ranges::find(kInLanguages, task) == kInLanguages.end() || rest.empty()) return "other";
  return std::string(task) + "." + std::string(rest);
}

std::string_view noise_label(const Tokenizer& tokenizer) {
  constexpr std::string_view kUnused = "<unused0>";
  return tokenizer.encode(kUnused, Specials::tokens).size() == 1 ? kUnused : "<bos>";
}

std::vector<std::string> split_labels(std::string_view text) {
  const char separator = text.find(';') == text.npos ? ',' : ';';
  std::vector<std::string> labels;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    const std::string_view label = trim(text.substr(begin, end - begin));
    if (!label.empty()) labels.emplace_back(label);
    begin = end + 1;
  }
  if (labels.empty())
    fail(ErrorKind::usage, "label_empty", "cannot read labels: expected a label, got \"", shown(text), "\"");
  return labels;
}

Prompt layout_prompt(const Tokenizer& tokenizer, std::string_view prompt, int pictures, int image_tokens,
                     Specials specials) {
  const std::size_t last_image = specials == Specials::tokens ? prompt.rfind(kImageToken) : prompt.npos;
  const std::size_t split = last_image == prompt.npos ? 0 : last_image + kImageToken.size();
  std::vector<std::int32_t> head = tokenizer.encode(prompt.substr(0, split), specials);
  if (split == 0 && pictures > 0) {
    if (!tokenizer.image()) {
      fail(ErrorKind::model, "tokenizer", "cannot place pictures: expected an id for <image>, got none");
    }
    head.assign(static_cast<std::size_t>(pictures), *tokenizer.image());
  }
  const auto spelled = std::count(head.begin(), head.end(), tokenizer.image());
  if (spelled != pictures) {
    fail(ErrorKind::usage, "image_count", "cannot place pictures: expected <image> in the prompt never or ", pictures,
         " times, got ", spelled);
  }

  Prompt result;
  for (const std::int32_t id : head) {
    const int copies = id == tokenizer.image() ? image_tokens : 1;
    result.ids.insert(result.ids.end(), static_cast<std::size_t>(copies), id);
  }
  result.ids.push_back(tokenizer.bos());
  const std::vector<std::int32_t> tail = tokenizer.encode(join(prompt.substr(split), "\n"), specials);
  result.ids.insert(result.ids.end(), tail.begin(), tail.end());
  result.prefix = static_cast<std::int64_t>(result.ids.size());
  result.trailing_newline = prompt.ends_with('\n');
  return result;
}

}  // namespace paligemma
