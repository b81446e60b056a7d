// Metrics of answers that are text, averaged over records.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "eval/answers.h"
#include "eval/caption_scores.h"
#include "eval/metric_functions.h"
#include "eval/ptb_tokenizer.h"
#include "eval/text_distance.h"
#include "text/characters.h"

namespace paligemma {
namespace {

struct Average {
  double sum = 0;
  std::size_t count = 0;

  void add(double value) { sum += value, ++count; }
  double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

MetricValue mean_value(std::string name, std::vector<double> of_records, bool higher_is_better = true) {
  Average average;
  for (const double value : of_records) average.add(value);
  return {.name = std::move(name),
          .value = average.value(),
          .higher_is_better = higher_is_better,
          .of_records = std::move(of_records)};
}

// A mean over records and, where they have types of answers, over each.
template <class Score>
MetricValue mean_by_type(std::string name, RecordsInMetric records, const Score& score) {
  std::vector<double> scores;
  std::map<std::string, Average> types;
  for (const Record* record : records) {
    scores.push_back(score(*record));
    if (!record->answer_type.empty()) types[record->answer_type].add(scores.back());
  }
  MetricValue value = mean_value(std::move(name), std::move(scores));
  for (const auto& [type, average] : types)
    value.parts.push_back({.name = type, .value = average.value(), .count = average.count});
  return value;
}

// The best over accepted answers.
template <class Score>
double best_answer(const Record& record, const Score& score) {
  double best = 0;
  for (const std::string& answer : record.answers) best = std::max(best, score(record.prediction, answer));
  return best;
}

// Against the answer that is nearest, which is the one whose errors count.
template <class Errors>
MetricValues error_rate(std::string name, RecordsInMetric records, const Errors& errors) {
  ErrorRate sum;
  std::vector<double> of_records;
  for (const Record* record : records) {
    ErrorRate least = errors(record->answers.front(), record->prediction);
    for (const std::string& answer : record->answers)
      if (const ErrorRate rate = errors(answer, record->prediction); rate.value() < least.value()) least = rate;
    sum += least;
    of_records.push_back(least.value());
  }
  return {
      {.name = std::move(name), .value = sum.value(), .higher_is_better = false, .of_records = std::move(of_records)}};
}

// Small letters, without ASCII's marks and English articles.
std::vector<std::string> squad_words(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : lower_case(text)) {
    if (std::isspace(static_cast<unsigned char>(c))) {
      if (!words.back().empty()) words.emplace_back();
    } else if (!std::ispunct(static_cast<unsigned char>(c))) {
      words.back() += c;
    }
  }
  std::erase_if(words, [](const std::string& w) { return w.empty() || w == "a" || w == "an" || w == "the"; });
  return words;
}

double squad_f1(const std::string& prediction, const std::string& answer) {
  const std::vector<std::string> said = squad_words(prediction);
  std::vector<std::string> left = squad_words(answer);
  const std::size_t all = said.size() + left.size();
  if (said.empty() || left.empty()) return all == 0 ? 1 : 0;
  std::size_t shared = 0;
  for (const std::string& word : said)
    if (const auto found = std::ranges::find(left, word); found != left.end()) left.erase(found), ++shared;
  return 2 * static_cast<double>(shared) / static_cast<double>(all);
}

std::vector<CaptionWords> captions_of(RecordsInMetric records) {
  std::vector<std::string> predictions, references;
  for (const Record* record : records) {
    predictions.push_back(record->prediction);
    references.insert(references.end(), record->answers.begin(), record->answers.end());
  }
  std::vector<Words> predicted = caption_words(predictions), expected = caption_words(references);
  std::vector<CaptionWords> captions;
  auto next = std::make_move_iterator(expected.begin());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto end = next + std::ssize(records[i]->answers);
    captions.push_back({.prediction = std::move(predicted[i]), .references = {next, end}});
    next = end;
  }
  return captions;
}

double exact_of(const Record& record) { return exact_match(record.prediction, record.answers); }

double ratio_or_zero(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

MetricValues evaluate_exact(RecordsInMetric records) { return {mean_by_type("exact", records, exact_of)}; }

MetricValues evaluate_vqa(RecordsInMetric records) {
  return {mean_by_type("vqa", records,
                       [](const Record& record) { return vqa_accuracy(record.prediction, record.answers); })};
}

MetricValues evaluate_simple_vqa(RecordsInMetric records) {
  return {mean_by_type("vqa_simple", records,
                       [](const Record& record) { return simple_vqa_accuracy(record.prediction, record.answers); })};
}

MetricValues evaluate_anls(RecordsInMetric records) {
  return {mean_by_type("anls", records,
                       [](const Record& record) { return anls(record.prediction, record.answers, true); })};
}

MetricValues evaluate_anls_cased(RecordsInMetric records) {
  return {mean_by_type("anls_cased", records,
                       [](const Record& record) { return anls(record.prediction, record.answers, false); })};
}

MetricValues evaluate_relaxed(RecordsInMetric records) {
  return {mean_by_type("relaxed", records, [](const Record& record) { return best_answer(record, relaxed_match); })};
}

MetricValues evaluate_tally(RecordsInMetric records) {
  MetricValue value =
      mean_by_type("tally", records, [](const Record& record) { return best_answer(record, count_match); });
  std::map<std::string, Average> counts;
  for (std::size_t i = 0; i < records.size(); ++i)
    counts["count_" + count_text(records[i]->answers.front())].add(value.of_records[i]);
  for (const auto& [name, average] : counts)
    value.parts.push_back({.name = name, .value = average.value(), .count = average.count});
  return {std::move(value)};
}

MetricValues evaluate_count_mae(RecordsInMetric records) {
  std::vector<double> errors;
  for (const Record* record : records)
    errors.push_back(
        std::abs(read_count(record->prediction).value_or(0) - read_count(record->answers.front()).value_or(0)));
  return {mean_value("count_mae", std::move(errors), false)};
}

MetricValues evaluate_pope(RecordsInMetric records) {
  Average valid;
  double right_yes = 0, said_yes = 0, is_yes = 0;
  MetricValue accuracy = mean_by_type("pope", records, [&](const Record& record) {
    const auto given = read_yes_no(record.prediction);
    const std::string& answer = record.answers.front();
    valid.add(given ? 1 : 0);
    said_yes += given == true;
    is_yes += answer == "yes";
    right_yes += given == true && answer == "yes";
    return given && answer == (*given ? "yes" : "no") ? 1.0 : 0.0;
  });
  return {std::move(accuracy),
          {.name = "pope/valid", .value = valid.value()},
          {.name = "pope/precision", .value = ratio_or_zero(right_yes, said_yes)},
          {.name = "pope/recall", .value = ratio_or_zero(right_yes, is_yes)},
          {.name = "pope/f1", .value = ratio_or_zero(2 * right_yes, said_yes + is_yes)}};
}

MetricValues evaluate_rsvqa(RecordsInMetric records) {
  MetricValue value = mean_by_type("rsvqa", records, exact_of);
  Average all, without_numbers;
  for (const MetricPart& part : value.parts) {
    all.add(part.value);
    if (part.name == "comp" || part.name == "presence") without_numbers.add(part.value);
  }
  return {std::move(value),
          {.name = "rsvqa/average", .value = all.value()},
          {.name = "rsvqa/average_without_numbers", .value = without_numbers.value()}};
}

MetricValues evaluate_science(RecordsInMetric records) {
  Average failed;
  MetricValue value = mean_by_type("science", records, [&](const Record& record) {
    const std::string given = choice_text(record.prediction);
    failed.add(given == "failed" ? 1 : 0);
    return given == choice_text(record.answers.front()) ? 1.0 : 0.0;
  });
  return {std::move(value), {.name = "science/unreadable", .value = failed.value(), .higher_is_better = false}};
}

MetricValues evaluate_word_f1(RecordsInMetric records) {
  std::vector<double> scores;
  for (const Record* record : records) scores.push_back(best_answer(*record, squad_f1));
  return {mean_value("word_f1", std::move(scores))};
}

MetricValues evaluate_cer(RecordsInMetric records) { return error_rate("cer", records, character_errors); }
MetricValues evaluate_wer(RecordsInMetric records) { return error_rate("wer", records, word_errors); }

MetricValues evaluate_cider(RecordsInMetric records) { return {mean_value("cider", cider(captions_of(records)))}; }

MetricValues evaluate_bleu(RecordsInMetric records) {
  const Bleu scores = bleu(captions_of(records));
  MetricValues values = {{.name = "bleu", .value = scores.all[3]}};
  for (const auto& each : scores.each) values[0].of_records.push_back(each[3]);
  for (std::size_t n = 0; n < scores.all.size(); ++n)
    values.push_back({.name = "bleu/" + std::to_string(n + 1), .value = scores.all[n]});
  return values;
}

MetricValues evaluate_rouge(RecordsInMetric records) {
  std::vector<double> scores;
  for (const CaptionWords& caption : captions_of(records)) scores.push_back(rouge_l(caption));
  return {mean_value("rouge_l", std::move(scores))};
}

MetricValues evaluate_loss(RecordsInMetric records) {
  std::vector<double> means;
  AnswerLoss all;
  for (const Record* record : records) {
    const AnswerLoss loss = answer_loss(record->answer_tokens);
    means.push_back(loss.mean);
    all.sum += loss.sum, all.weight += loss.weight, all.best += loss.best;
  }
  const double sum = all.sum / static_cast<double>(records.size());
  return {mean_value("loss", std::move(means), false),
          {.name = "loss/sum", .value = sum, .higher_is_better = false},
          {.name = "loss/perplexity", .value = std::exp(ratio_or_zero(all.sum, all.weight)), .higher_is_better = false},
          {.name = "loss/token_accuracy", .value = ratio_or_zero(all.best, all.weight)}};
}

}  // namespace paligemma
