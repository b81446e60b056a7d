// A CompareReport for people and for programs.
//
// JSON, schema "paligemma.compare/1":
//
//   schema       "paligemma.compare/1"
//   a b          the models: name, weights and compute
//   total        of all answers:
//     answers    how many; equal_answers: B by itself writes the same tokens
//     tokens     of A's answers; equal_tokens: B's most probable one is the same
//     kl         mean KL(A || B) a token in nats, largest_kl
//     boxes      of A; box_iou: their mean IoU, null without boxes; extra_boxes: of B
//     masks      of A; mask_iou: their mean IoU, null without masks
//   tasks        the same for each task that was asked, with "task"
//   answers      the same for each answer, the worst first, with task, image, prompt, and a and b: what each wrote
//   failures     pictures that could not be read: code, message
//   gate         null, or name, passed, and missed: a sentence for each condition
//
// Answers are worse the fewer of their tokens are equal, then the further B's probabilities are from A's.
#pragma once

#include <optional>
#include <string>

#include "eval/compare.h"
#include "io/json.h"

namespace paligemma {

Json compare_json(const CompareReport& report, const std::optional<QualityGate>& gate);

// A line for each task and for all, then the worst `most` of the answers in which B differs.
std::string compare_table(const CompareReport& report, std::size_t most);

}  // namespace paligemma
