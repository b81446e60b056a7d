// Answered examples: what metrics are computed of, whatever model answered and whatever data set asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/likelihood.h"
#include "eval/marked_object.h"

namespace paligemma {

enum class RecordTask { text, caption, answer, detect, segment, refer };
std::string_view record_task_name(RecordTask task);

struct Record {
  std::string id{};  // one of a kind among the records that are evaluated together
  RecordTask task = RecordTask::text;
  std::string prefix{};                      // what was asked
  std::string group{};                       // what kind of question that is, from the whole to the part: "answer.en"
  std::string prediction{};                  // what was answered, tokens of boxes and masks kept
  std::vector<std::string> answers{};        // accepted ones: captions, answers of several people, the one right text
  MarkedPicture objects{};                   // what is there and what was found, in pixels
  int width = 0, height = 0;                 // of the picture; 0 where it is not known
  std::string answer_type{};                 // as the data names it: "yes/no", "number", "simple", "count", ...
  std::vector<AnswerToken> answer_tokens{};  // of the accepted answer, where the model was asked for them
  std::optional<double> confidence{};        // how sure the answer is, 0..1
};

// Whether its boxes are judged: there, or that nothing is there, is what it asks.
bool is_about_objects(const Record& record);

}  // namespace paligemma
