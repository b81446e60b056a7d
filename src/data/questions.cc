// VQAv2: questions in one document, answers in another one. GQA: both in one, by the questions' ids.
#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "data/readers.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

struct VqaAnswers {
  std::vector<std::string> answers;
  std::string type;
};

std::unordered_map<std::string, VqaAnswers> read_vqa_answers(Reading& reading, const std::vector<fs::path>& files) {
  std::unordered_map<std::string, VqaAnswers> all;
  for (const fs::path& file : files) {
    const FileBytes bytes = read_annotations(file);
    const std::string where = shown(reading, file);
    parse_json_items(bytes.text(), where, ErrorKind::usage, [&](const std::string& key, const Json& value) {
      if (key != "annotations") return true;
      const Json* id = member(value, "question_id");
      const std::string id_of = id ? id_text(*id) : std::string();
      VqaAnswers one{.type = member_text(value, "answer_type")};
      if (const Json* answers = member(value, "answers"); answers && answers->is_array()) {
        for (const Json& answer : *answers)
          one.answers.push_back(answer.is_string() ? answer.get<std::string>() : member_text(answer, "answer"));
      } else if (std::string answer = member_text(value, "multiple_choice_answer"); !answer.empty()) {
        one.answers.push_back(std::move(answer));
      }
      if (id_of.empty()) {
        report(reading, "bad_row", where, "expected an annotation with a question_id");
      } else if (!all.emplace(id_of, std::move(one)).second) {
        report(reading, "duplicate_id", where,
               "expected answers to each question once, got question_id " + id_of + " again");
      }
      return true;
    });
  }
  return all;
}

// COCO's names of pictures hold the year and the split; newer ones only the id.
std::string coco_picture(Reading& reading, const fs::path& file, const std::string& subset, const std::string& id) {
  if (id.size() > 12 || id.empty() || !std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; })) return id;
  const std::string number = std::string(12 - id.size(), '0') + id;
  std::vector<std::string> names;
  if (!subset.empty()) names.push_back("COCO_" + subset + "_" + number + ".jpg");
  names.push_back(number + ".jpg");
  for (const char* year : {"train2014", "val2014", "test2015"})
    if (subset != year) names.push_back(join("COCO_", year, "_", number, ".jpg"));
  names.push_back(id);
  for (const std::string& name : names)
    if (!reading.pictures.find(name, file.parent_path()).problem) return name;
  return names.front();
}

}  // namespace

void read_questions(Reading& reading, const std::vector<fs::path>& questions, const std::vector<fs::path>& answers) {
  auto all = read_vqa_answers(reading, answers);
  for (const fs::path& file : questions) {
    const FileBytes bytes = read_annotations(file);
    const std::string where = shown(reading, file);
    std::string subset;
    parse_json_items(bytes.text(), where, ErrorKind::usage, [&](const std::string& key, const Json& value) {
      if (key == "data_subtype" && value.is_string()) subset = value.get<std::string>();
      if (key != "questions") return true;
      const Json* id = member(value, "question_id");
      const Json* image = member(value, "image_id");
      Sample sample{.id = id ? id_text(*id) : std::string(), .task = SampleTask::answer};
      sample.prefix = member_text(value, "question");
      const std::string picture = image ? id_text(*image) : std::string();
      if (sample.id.empty() || picture.empty() || sample.prefix.empty()) {
        report(reading, "bad_row", where,
               "expected a question with a question_id and an image_id, got " + dump_json(value).substr(0, 200));
        return true;
      }
      sample.source_id = sample.id;
      sample.picture.name = coco_picture(reading, file, subset, picture);
      sample.split = split_of(reading, file);
      if (const auto found = all.find(sample.id); found != all.end()) {
        sample.answers = std::move(found->second.answers);
        sample.answer_type = std::move(found->second.type);
        all.erase(found);
      }
      add_sample(reading, std::move(sample), file.parent_path(), where + ": question " + sample.id);
      return true;
    });
  }
}

void read_gqa(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  const std::string where = shown(reading, file);
  parse_json_items(bytes.text(), where, ErrorKind::usage, [&](const std::string& key, const Json& value) {
    const Json* image = member(value, "imageId");
    Sample sample{.id = key, .task = SampleTask::answer};
    sample.picture.name = image ? id_text(*image) : std::string();
    sample.prefix = member_text(value, "question");
    if (sample.picture.name.empty() || sample.prefix.empty()) {
      report(reading, "bad_row", where + ": " + key.substr(0, 100), "expected a question with an imageId");
      return true;
    }
    if (member(value, "answer")) sample.answers = {member_text(value, "answer")};
    sample.source_id = key;
    sample.split = split_of(reading, file);
    add_sample(reading, std::move(sample), file.parent_path(), where + ": question " + key);
    return true;
  });
}

}  // namespace paligemma
