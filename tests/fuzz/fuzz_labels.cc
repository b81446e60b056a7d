// seeds: geometry/parse.jsonl tokenizer/small_ids.jsonl
//
// Labels, questions and answers as people type them: the prompts made of them spell no token, whatever they hold.
#include "detect/parse.h"
#include "text/prompt.h"

namespace {

using namespace paligemma;

void expect_plain(const Request& request) {
  try {
    const std::string prompt = prompt_text(request);
    for (const char c : prompt)
      if (static_cast<unsigned char>(c) < ' ') __builtin_trap();
    const Parsed parsed = parse_objects(prompt, {.width = 8, .height = 8}, {});
    if (!parsed.objects.empty() || !parsed.warnings.empty()) __builtin_trap();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  expect_plain({.task = Task::ask, .text = text});
  expect_plain({.task = Task::question, .text = text});
  expect_plain({.task = Task::caption, .language = text});
  try {
    const std::vector<std::string> labels = split_labels(text);
    for (const std::string& label : labels)
      if (label.empty() || label.find(';') != label.npos) __builtin_trap();
    expect_plain({.task = Task::detect, .labels = labels});
    expect_plain({.task = Task::segment, .labels = labels});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
  return 0;
}
