// The file of `run --requests`: JSON Lines, one question a line.
//
//   {"image": "beach.jpg", "prompt": "caption en"}
//   {"images": ["a.jpg", "b.jpg"], "prompt": "...", "suffix": "...", "max_tokens": 20}
//   {"image": "beach.jpg", "prompt": "caption en", "temperature": 0.7, "top_p": 0.9, "seed": 3}
//   {"image": "beach.jpg", "prompt": "caption en", "adapter": "captions"}      a folder given to --adapter
//   {"image": "beach.jpg", "prompt": "caption en", "adapter": null}            the model without adapters
//
// Also top_k, min_p, repetition_penalty, beams, beam_score ("mean" or "sum") and length_penalty, as on the command
// line. Paths are relative to the file's folder. Empty lines are passed over.
#pragma once

#include <paligemma/paligemma.h>

#include <string>
#include <vector>

#include "answers.h"

namespace paligemma {

// `path` is a file or "-" for stdin; `defaults` gives what a line leaves out. Throws Error{usage} that names the line
// for anything but the above.
std::vector<Job> read_requests(const std::string& path, const Request& defaults);

}  // namespace paligemma
