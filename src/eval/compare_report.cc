#include "eval/compare_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "report/printable.h"
#include "report/result_json.h"

namespace paligemma {
namespace {

double part(double sum, std::int64_t count) { return sum / static_cast<double>(count); }

double equal_part(const CompareScores& scores) { return part(static_cast<double>(scores.equal_tokens), scores.tokens); }

std::vector<ComparedAnswer> worst_first(const CompareReport& report) {
  std::vector<ComparedAnswer> answers = report.answers;
  std::ranges::stable_sort(answers, [](const ComparedAnswer& one, const ComparedAnswer& two) {
    const double equal_one = equal_part(one.scores), equal_two = equal_part(two.scores);
    return equal_one != equal_two ? equal_one < equal_two
                                  : part(one.scores.kl, one.scores.tokens) > part(two.scores.kl, two.scores.tokens);
  });
  return answers;
}

struct TaskScores {
  Task task;
  CompareScores scores;
};

std::vector<TaskScores> by_task(const CompareReport& report) {
  std::vector<TaskScores> tasks;
  for (const ComparedAnswer& answer : report.answers) {
    auto found = std::ranges::find(tasks, answer.task, &TaskScores::task);
    if (found == tasks.end()) found = tasks.insert(found, {answer.task, {}});
    found->scores.add(answer.scores);
  }
  return tasks;
}

Json mean_json(double sum, std::int64_t count) {
  const double mean = part(sum, count);
  return std::isfinite(mean) ? Json(mean) : Json(nullptr);
}

void add_scores(Json& json, const CompareScores& s) {
  json.update({{"answers", s.answers},
               {"equal_answers", s.equal_answers},
               {"tokens", s.tokens},
               {"equal_tokens", s.equal_tokens},
               {"kl", mean_json(s.kl, s.tokens)},
               {"largest_kl", mean_json(s.largest_kl, 1)},
               {"boxes", s.boxes},
               {"box_iou", mean_json(s.box_iou, s.boxes)},
               {"extra_boxes", s.extra_boxes},
               {"masks", s.masks},
               {"mask_iou", mean_json(s.mask_iou, s.masks)}});
}

Json model_json(const ModelInfo& info) {
  return {{"name", info.name}, {"weights", info.weights}, {"compute", info.compute}};
}

Json gate_json(const CompareReport& report, const std::optional<QualityGate>& gate) {
  if (!gate) return nullptr;
  const std::vector<std::string> missed = missed_by(report.total(), *gate);
  return {{"name", gate->name}, {"passed", missed.empty()}, {"missed", missed}};
}

std::string percent(double sum, std::int64_t count) {
  return count > 0 ? fixed(100 * part(sum, count), 2) + " %" : "-";
}

std::string mean_text(double sum, std::int64_t count) { return count > 0 ? fixed(part(sum, count), 4) : "-"; }

std::string kl_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return value == 0 ? "0" : text;
}

std::string table_line(const std::vector<std::string>& cells) {
  constexpr std::size_t kFirst = 10, kOther = 10;
  std::string line = cells.front() + std::string(kFirst - std::min(kFirst, cells.front().size()), ' ');
  for (std::size_t i = 1; i < cells.size(); ++i)
    line += std::string(kOther - std::min(kOther, cells[i].size()), ' ') + cells[i];
  return line + "\n";
}

std::string scores_line(std::string_view name, const CompareScores& s) {
  return table_line(
      {std::string(name), std::to_string(s.answers), percent(static_cast<double>(s.equal_answers), s.answers),
       std::to_string(s.tokens), percent(static_cast<double>(s.equal_tokens), s.tokens),
       s.tokens > 0 ? kl_text(part(s.kl, s.tokens)) : "-", std::to_string(s.boxes), mean_text(s.box_iou, s.boxes),
       std::to_string(s.extra_boxes), std::to_string(s.masks), mean_text(s.mask_iou, s.masks)});
}

std::string model_line(std::string_view side, const ModelInfo& info) {
  return join(side, ": ", printable(info.name), ", weights ", info.weights, ", compute ", info.compute, "\n");
}

}  // namespace

Json compare_json(const CompareReport& report, const std::optional<QualityGate>& gate) {
  Json total = Json::object(), tasks = Json::array(), answers = Json::array(), failures = Json::array();
  add_scores(total, report.total());
  for (const TaskScores& task : by_task(report)) {
    tasks.push_back({{"task", name(task.task)}});
    add_scores(tasks.back(), task.scores);
  }
  for (const ComparedAnswer& answer : worst_first(report)) {
    answers.push_back({{"task", name(answer.task)},
                       {"image", answer.path},
                       {"prompt", answer.prompt},
                       {"a", answer.a},
                       {"b", answer.b}});
    add_scores(answers.back(), answer.scores);
  }
  for (const Error& error : report.failures) failures.push_back({{"code", error.code()}, {"message", error.what()}});
  return {{"schema", "paligemma.compare/1"}, {"a", model_json(report.a)},      {"b", model_json(report.b)},
          {"total", std::move(total)},       {"tasks", std::move(tasks)},      {"answers", std::move(answers)},
          {"failures", std::move(failures)}, {"gate", gate_json(report, gate)}};
}

std::string compare_table(const CompareReport& report, std::size_t most) {
  std::string text = model_line("A", report.a) + model_line("B", report.b) + "\n";
  text +=
      table_line({"task", "answers", "equal", "tokens", "equal", "KL/token", "boxes", "IoU", "extra", "masks", "IoU"});
  for (const TaskScores& task : by_task(report)) text += scores_line(name(task.task), task.scores);
  text += scores_line("all", report.total());

  for (const ComparedAnswer& answer : worst_first(report)) {
    if (most-- == 0 || answer.scores.equal_tokens == answer.scores.tokens) break;
    text += join("\n", printable(answer.path), ": ", printable(answer.prompt), ": ", answer.scores.equal_tokens, " of ",
                 answer.scores.tokens, " tokens, KL ", kl_text(part(answer.scores.kl, answer.scores.tokens)),
                 "\n  A: ", printable(answer.a), "\n  B: ", printable(answer.b), "\n");
  }
  return text;
}

}  // namespace paligemma
