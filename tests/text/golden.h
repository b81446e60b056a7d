// What the tests of text/ read, and how they look at errors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/json.h"
#include "support/errors.h"
#include "text/tokenizer.h"

namespace paligemma {

using Ids = std::vector<std::int32_t>;

inline std::string golden_file(std::string_view name) {
  return std::string(FileBytes::map(join(GOLDEN_DIR "/tokenizer/", name), ErrorKind::model).text());
}

inline std::vector<Json> golden_lines(std::string_view name) {
  std::vector<Json> lines;
  const std::string text = golden_file(name);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(parse_json(std::string_view(text).substr(begin, end - begin), name, ErrorKind::model));
    begin = end + 1;
  }
  return lines;
}

inline Tokenizer model_tokenizer(std::string_view file, std::optional<std::int32_t> image = {}) {
  return Tokenizer::from_sentencepiece(std::as_bytes(std::span(file.data(), file.size())), "x.model", image);
}

inline Tokenizer json_tokenizer(std::string_view file, std::optional<std::int32_t> image = {}) {
  return Tokenizer::from_json(file, "x.json", image);
}

// The golden tokenizer, read from each of its two files.
inline std::vector<Tokenizer> both_tokenizers() {
  std::vector<Tokenizer> both;
  both.push_back(model_tokenizer(golden_file("tokenizer.model"), 2310));
  both.push_back(json_tokenizer(golden_file("tokenizer.json")));
  return both;
}

}  // namespace paligemma
