// Results on stdout, one after the other, in the form that was asked for.
#pragma once

#include <paligemma/paligemma.h>

#include <string>
#include <string_view>

#include "report/result_json.h"
#include "report/result_text.h"

namespace paligemma {

enum class Format { text, json, jsonl };

class Output {
 public:
  Format format = Format::text;
  bool several = false;  // --json: an array; text: the picture's path before each line
  ResultFields fields{};

  // At once, past any buffer. Throws Error{failure, "closed_pipe"} when nobody reads any more, else "write_failed".
  void write(std::string_view text);

  // `mask_files` as in TextOptions.
  void result(const Result& result, std::span<const std::string> mask_files = {});
  // In the place of a result; text output has no such place.
  void failed_picture(std::string_view path, const Error& error);
  // Ends the array of --json.
  void close();
  // What ended the program, for --json and --jsonl: {"error": ...}, in an array that has begun as its last element.
  // close() follows.
  void error(const Error& error);

 private:
  void json(const Json& value);

  bool array_open_ = false;
};

}  // namespace paligemma
