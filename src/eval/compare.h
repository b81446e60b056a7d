// Two models, or two precisions of one, on the same questions.
//
// A is the reference. It answers first, greedily; then B is led through A's answer, so that at every token both have
// seen the same and one difference counts once, and where it would have gone another way it answers by itself too. The
// models are opened one after the other: there need be memory for the larger one only.
//
//   equal tokens    where the most probable token of B is A's, of all tokens of A's answers, eos included
//   KL              kl_divergence(A, B) at those tokens, over the vocabulary without its padding rows
//   equal answers   B by itself writes the same tokens
//   box IoU         each box of A with the one of B's own answer that it matches (match_objects); 0 without one
//   mask IoU        each mask of A with that of the same object of B; 0 without one
//   extra boxes     boxes of B that none of A matches
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

struct ComparedModel {
  std::filesystem::path path{};  // empty: the embedded model
  ModelOptions options{};
};

// Sums over answers.
struct CompareScores {
  std::int64_t answers = 0, equal_answers = 0;
  std::int64_t tokens = 0, equal_tokens = 0;
  std::int64_t boxes = 0, masks = 0, extra_boxes = 0;
  double kl = 0, largest_kl = 0;
  double box_iou = 0, mask_iou = 0;

  void add(const CompareScores& other);
};

struct ComparedAnswer {
  Task task = Task::run;
  std::string path{}, prompt{};  // of the first picture; as given to the tokenizer
  std::string a{}, b{};          // what each model wrote
  CompareScores scores{};
};

struct CompareReport {
  ModelInfo a{}, b{};
  std::vector<ComparedAnswer> answers{};  // in the order of the questions
  std::vector<Error> failures{};          // batches whose pictures could not be read

  CompareScores total() const;
};

// Questions that are read when their turn comes, once for each model.
struct CompareQuestions {
  std::size_t batches = 0;
  // The requests of a batch, answered together. Error{input} leaves the batch out.
  std::function<std::vector<Request>(std::size_t batch)> read{};
};

// Throws Error{usage, "compare"} for a request that asks for more than a greedy answer of one token or more.
void check_comparable(const Request& request);

// `progress` is told what comes next, of twice as many batches as there are; `stop` is asked between tokens. Throws as
// Model::open and Model::answer do, Error{usage, "compare"} for models whose tokens are not the same, and
// Error{failure, "write_failed"} when the disk has no place for A's logits (eval/logit_file.h).
CompareReport compare_models(const ComparedModel& a, const ComparedModel& b, const CompareQuestions& questions,
                             const std::function<void(std::size_t done, std::size_t total)>& progress = {},
                             const std::function<bool()>& stop = {});

// What a quantised model has to keep of the original.
struct QualityGate {
  std::string_view name{};
  double equal_tokens = 0, box_iou = 0;  // at least
};
constexpr QualityGate kGateQ8{"q8", 0.98, 0.98}, kGateQ4{"q4", 0.92, 0.95};

// What is missed, "box IoU: expected at least 0.98, got 0.97"; nothing when the gate is passed. Boxes count where A has
// some.
std::vector<std::string> missed_by(const CompareScores& scores, const QualityGate& gate);

}  // namespace paligemma
