// The options that every command with a model has.
#pragma once

#include <paligemma/paligemma.h>

#include <filesystem>
#include <string>

#include "annotations.h"
#include "arguments.h"
#include "engine/budget.h"

namespace paligemma {

struct AnswerOptions {
  std::string model{};  // empty: $PALIGEMMA_MODEL, else the embedded one
  ModelOptions model_options{};
  DecodeOptions decode_options{};
  Request request{};     // what the options say of every question: suffix, max_tokens, logprobs, sampling, beams
  std::string output{};  // -o
  AnnotationFormat format = AnnotationFormat::none;
  bool force = false;
  bool timings = false;
  int batch = static_cast<int>(kTypicalBatch);  // questions answered at once
};

// --json, --jsonl, -q, -v, --no-progress, --color.
void add_session_options(Arguments& arguments, Session& session);

// --weights and --compute; `side` ends their names where two models have them ("-a").
void add_precision_options(Arguments& arguments, ModelOptions& model, const std::string& side = "");

// -t.
void add_threads_option(Arguments& arguments, ModelOptions& model);

// --tokenizer, --codec, --adapter, and the other ones that make a model what it is, but for its precision.
void add_form_options(Arguments& arguments, ModelOptions& model);

// All of these, and -m.
void add_model_options(Arguments& arguments, AnswerOptions& options);

// --exif, --max-pixels, --resize.
void add_picture_options(Arguments& arguments, AnswerOptions& options);

// --lang.
void add_language(Arguments& arguments, Request& request);

// All of them: those of the session, the model, the picture, the answer and the output.
void add_answer_options(Arguments& arguments, AnswerOptions& options, Session& session);

// The model that is meant: `given` (what -m says), else $PALIGEMMA_MODEL, else the embedded one, for which the path is
// empty. "pocket" is that one too where no file has the name. Throws
// Error{usage, "not_available"} for the forms that this version can't read.
std::string model_path(const std::string& given);

// Opens it. Throws also Error{model} and Error{resource}.
Model open_model(const AnswerOptions& options);

}  // namespace paligemma
