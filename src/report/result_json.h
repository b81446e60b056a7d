// stage 8/8: a result -> JSON, schema paligemma.result/1. The one place that knows the schema.
//
//   schema          "paligemma.result/1"
//   task            "caption", "ocr", "ask", "question", "detect", "segment" or "run"
//   model           the model's name
//   prompt          what the model was asked, without the final newline
//   image           of the first picture
//     path          as it was given
//     width height  pixels of the upright picture
//   text            what the model wrote, loc and seg tokens kept
//   answer          plain text for caption, ocr, ask, question and run; null for detect and segment
//   objects         what was found, in the model's order; empty when nothing was
//     label         the model's word for it, may be empty
//     label_index   place in the asked labels from 0; null when the model invented the label
//     box           [x1, y1, x2, y2], float pixels of the upright picture, x2 and y2 exclusive
//     loc           [y1, x1, y2, x2] as the model wrote them, 0..1023
//     score         0..1, null without one
//     score_kind    how score was made: "loc_geomean", the geometric mean of the probabilities of the four loc tokens;
//                   "loc_calibrated", the share of boxes with that geometric mean that are right, of a model or
//                   adapter with a fit (paligemma eval --calibrate); "label_prob", the product of the probabilities of
//                   the label's tokens, of a model that was trained with noise boxes; null without one
//     mask          null for detect, and without a mask codec
//       format      "coco_rle"
//       size        [height, width] of the picture
//       counts      run lengths in the compressed form of pycocotools
//     seg           the 16 mask codes, 0..127; null for detect
//   warnings        what the model wrote that is no object
//     code          loc_count, seg_count, seg_without_box, stray_text, empty_box, codec_missing, trailing_newline,
//                   truncated
//     text          the piece of text it is about
//   finish          "eos": the model ended its answer; "length": it was cut
//   usage
//     prompt_tokens, generated_tokens     image tokens, the suffix and eos are counted
//   tokens          with ResultFields::tokens: each generated token
//     id, text
//     logprob       natural logarithm of its probability; null for minus infinity
//   timings_ms      with ResultFields::timings: load, image, vision, prefill, decode, post, total; milliseconds
//
// A picture that failed is {"schema", "image": {"path"}, "error": {"code", "message"}} in its place; a program that
// failed is {"error": {"code", "message"}}. Every number is finite: where one is not, null stands. Numbers are as short
// as reads back the same. Bytes that are not UTF-8 become U+FFFD when the JSON is written (dump_json).
#pragma once

#include <paligemma/paligemma.h>

#include <string_view>

#include "io/json.h"

namespace paligemma {

struct ResultFields {
  bool tokens = false;
  bool timings = false;
};

Json result_json(const Result& result, ResultFields fields = {});
Json failed_picture_json(std::string_view path, const Error& error);
Json error_json(const Error& error);

// What each task is called in commands and results.
std::string_view name(Task task);

}  // namespace paligemma
