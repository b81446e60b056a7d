// seeds: eval/predictions.jsonl
//
// What is read fits its picture, is written and read again as the same, and can be evaluated.
#include <cstdint>
#include <cstdlib>

#include "eval/evaluate.h"
#include "eval/predictions.h"
#include "json_mutator.h"

namespace {

using namespace paligemma;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

std::vector<Record> records_of(std::span<const Prediction> predictions) {
  std::vector<Record> records;
  for (const Prediction& prediction : predictions) {
    Record& record =
        records.emplace_back(Record{.id = prediction.id, .task = RecordTask::segment, .answers = {"a cow"}});
    record.width = 64, record.height = 48;
    record.objects.truth = {{.label = "cow", .box = {1, 2, 30, 40}}};
  }
  return records;
}

bool same(const MarkedObject& a, const MarkedObject& b) {
  return a.label == b.label && a.box == b.box && a.score == b.score && a.mask.has_value() == b.mask.has_value() &&
         (!a.mask || a.mask->counts == b.mask->counts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    std::vector<Prediction> predictions = read_predictions({reinterpret_cast<const char*>(data), size}, "predictions");
    for (const Prediction& prediction : predictions) {
      require(prediction.text || prediction.objects);
      for (const MarkedObject& object : prediction.objects.value_or(std::vector<MarkedObject>()))
        require(object.box[0] <= object.box[2] && object.box[1] <= object.box[3] &&
                (!object.mask || fits(*object.mask)));
    }
    std::vector<Record> records = records_of(predictions), again = records;
    require(take_predictions(records, std::move(predictions)).unanswered.empty());
    std::string file;
    for (const Record& record : records) file += prediction_line(record) + "\n";
    take_predictions(again, read_predictions(file, "written"));
    for (std::size_t i = 0; i < records.size(); ++i) {
      require(again[i].prediction == records[i].prediction);
      require(std::ranges::equal(again[i].objects.found, records[i].objects.found, same));
    }
    for (const Metric& metric : metrics())
      if (metric.need == MetricNeed::answers || metric.need == MetricNeed::objects)
        evaluate(records, std::vector{std::string(metric.name)});
    json_mutator::take(data, size);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::usage);
  }
  return 0;
}
