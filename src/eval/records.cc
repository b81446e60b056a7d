#include "eval/records.h"

namespace paligemma {

std::string_view record_task_name(RecordTask task) {
  switch (task) {
    case RecordTask::text: return "text";
    case RecordTask::caption: return "caption";
    case RecordTask::answer: return "answer";
    case RecordTask::detect: return "detect";
    case RecordTask::segment: return "segment";
    case RecordTask::refer: return "refer";
  }
  return "?";
}

bool is_about_objects(const Record& record) {
  return record.task == RecordTask::detect || record.task == RecordTask::segment || record.task == RecordTask::refer ||
         !record.objects.truth.empty();
}

}  // namespace paligemma
