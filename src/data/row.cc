#include "data/row.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/class_names.h"
#include "data/target.h"
#include "detect/parse.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr Frame kLocFrame{.width = 1023, .height = 1023};  // in which a loc number is a pixel

const Json* first_member(const Json& row, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (const Json* value = member(row, key)) return value;
  return nullptr;
}

// Text, and numbers and truth values as they are written.
std::optional<std::string> scalar_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_primitive() && !value.is_null()) return dump_json(value);
  return {};
}

// A text or a list of texts.
std::vector<std::string> texts_of(const Json& value) {
  std::vector<std::string> texts;
  if (const auto one = scalar_of(value)) texts.push_back(*one);
  if (value.is_array())
    for (const Json& element : value)
      if (const auto one = scalar_of(element)) texts.push_back(*one);
  return texts;
}

std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return number;
}

std::string picture_name(const Json& row) {
  const Json* value = first_member(row, {"image", "file_name", "image_file_name", "image_path", "img_path", "img",
                                         "filename", "image_name", "images", "image_id"});
  if (!value) return {};
  if (value->is_array())
    return value->size() == 1 && value->front().is_string() ? value->front().get<std::string>() : "";
  if (value->is_object()) return member_text(*value, "path");
  return scalar_of(*value).value_or(std::string());
}

std::string without_image_token(std::string_view text) {
  for (;;) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == text.npos) return {};
    if (!text.substr(begin).starts_with(kImageToken)) return std::string(text);
    text.remove_prefix(begin + kImageToken.size());
    if (text.starts_with('\n')) text.remove_prefix(1);
  }
}

// What a row says beside its task.
Sample row_frame(const Reading& reading, const Json& row, const std::filesystem::path& file) {
  Sample sample{.picture = {.name = picture_name(row)}, .split = split_of(reading, file)};
  if (const Json* split = first_member(row, {"split", "set_name", "data_split"}); split && split->is_string())
    sample.split = split_of_word(split->get_ref<const std::string&>());
  const auto side = [&](std::string_view key) {
    const Json* value = member(row, key);
    const auto number = value ? number_of(*value) : std::nullopt;
    return number && *number >= 1 && *number <= 1e6 ? static_cast<int>(*number) : 0;
  };
  sample.width = side("width"), sample.height = side("height");
  if (sample.width == 0 || sample.height == 0) sample.width = sample.height = 0;
  sample.answer_type = member_text(row, "answer_type");
  return sample;
}

// A text, or the name that a number stands for; nothing where it has none.
std::optional<std::string> class_of(Reading& reading, const Json& value) {
  if (!value.is_number_integer()) return scalar_of(value);
  if (!reading.names_of_numbers) reading.names_of_numbers = names_of_numbers(reading.data.root);
  const auto place = value.get<std::int64_t>();
  if (place < 0 || place >= static_cast<std::int64_t>(reading.names_of_numbers->size())) return {};
  return (*reading.names_of_numbers)[static_cast<std::size_t>(place)];
}

// False where the row's objects are none.
bool read_row_objects(Reading& reading, const Json& objects, Sample& sample, const std::string& where) {
  const Json* boxes = objects.is_object() ? first_member(objects, {"bbox", "bboxes", "boxes"}) : nullptr;
  const Json* labels =
      objects.is_object() ? first_member(objects, {"categories", "category", "labels", "label"}) : nullptr;
  if (!boxes || !boxes->is_array() || (labels && (!labels->is_array() || labels->size() != boxes->size())))
    return false;
  for (std::size_t i = 0; i < boxes->size(); ++i) {
    const auto box = box_of_bbox((*boxes)[i]);
    const auto label = labels ? class_of(reading, (*labels)[i]) : std::string("object");
    if (!box) {
      report(reading, "box_empty", where,
             "expected [x, y, width, height], got " + dump_json((*boxes)[i]).substr(0, 100));
    } else if (!label) {
      report(reading, "unknown_class", where,
             "expected a class, or a number that classes.txt or README.md names, got " +
                 dump_json((*labels)[i]).substr(0, 100));
    } else {
      add_class(reading, *label);
      sample.objects.push_back({.label = *label, .box = *box});
    }
  }
  sample.task = objects_task(reading);
  return true;
}

// One turn of a conversation: who speaks, and what.
struct Turn {
  bool asks = false;
  std::string text{};
};

std::optional<Turn> turn_of(const Json& value) {
  if (!value.is_object()) return {};
  const std::string who = member_text(value, member(value, "from") ? "from" : "role");
  const Json* said = first_member(value, {"value", "content"});
  if (!said) return {};
  Turn turn{.asks = who == "human" || who == "user"};
  if (!turn.asks && who != "gpt" && who != "assistant") return {};
  if (said->is_string()) turn.text = said->get<std::string>();
  if (said->is_array())
    for (const Json& part : *said)
      if (part.is_object() && member_text(part, "type") == "text") turn.text += member_text(part, "text");
  return turn;
}

void add_turns(Reading& reading, const Json& turns, const Sample& frame, const std::filesystem::path& file,
               const std::string& where) {
  std::optional<std::string> question;
  bool any = false;
  if (turns.is_array())
    for (const Json& value : turns) {
      auto turn = turn_of(value);
      if (!turn) continue;
      if (turn->asks) {
        question = without_image_token(turn->text);
      } else if (question) {
        Sample sample = frame;
        sample.prefix = std::move(*question);
        sample.answers = {std::move(turn->text)};
        add_sample(reading, std::move(sample), file.parent_path(), where);
        question.reset();
        any = true;
      }
    }
  if (!any) report(reading, "bad_row", where, "expected a question and an answer behind it, got none");
}

// False where the row says nothing that could be learnt.
bool read_row_text(Reading& reading, const Json& row, Sample& sample, const std::string& where) {
  if (const Json* suffix = member(row, "suffix")) {
    sample.answers = texts_of(*suffix);
    const Json* prefix = member(row, "prefix");
    sample.prefix = without_image_token(prefix ? scalar_of(*prefix).value_or(std::string()) : reading.options.prefix);
    read_suffix_objects(reading, sample, where);
    return true;
  }
  if (const Json* objects = member(row, "objects")) return read_row_objects(reading, *objects, sample, where);
  if (const Json* question = member(row, "question")) {
    const Json* answers = first_member(row, {"answers", "answer", "multiple_choice_answer", "label_for_paligemma"});
    sample.task = SampleTask::answer;
    sample.prefix = without_image_token(scalar_of(*question).value_or(std::string()));
    if (answers) sample.answers = texts_of(*answers);
    return true;
  }
  const Json* caption = first_member(row, {"caption", "captions", "text", "description"});
  if (const Json* label = caption ? nullptr : member(row, "label")) {
    const auto name = class_of(reading, *label);
    if (!name) return false;
    add_class(reading, *name);
    sample.prefix = reading.options.question;
    sample.task = SampleTask::answer;
    sample.answers = {*name};
    return true;
  }
  if (!caption) return false;
  sample.task = SampleTask::caption;
  sample.answers = texts_of(*caption);
  return true;
}

}  // namespace

void add_row(Reading& reading, const Json& row, const std::filesystem::path& file, const std::string& where) {
  if (!row.is_object())
    return report(reading, "bad_row", where, "expected an object, got " + dump_json(row).substr(0, 100));
  Sample sample = row_frame(reading, row, file);
  if (sample.picture.name.empty())
    return report(reading, "bad_row", where, "expected the name of one picture, got none");
  if (const Json* turns = first_member(row, {"conversations", "messages"}))
    return add_turns(reading, *turns, sample, file, where);
  if (const Json* id = first_member(row, {"id", "question_id", "questionId", "uid"})) sample.id = id_text(*id);
  if (const Json* id = first_member(row, {"question_id", "questionId"})) sample.source_id = id_text(*id);
  if (const Json* weight = member(row, "weight")) {
    const auto number = number_of(*weight);
    if (!number || !(*number >= 0) || *number > 1e6)
      return report(reading, "bad_row", where,
                    "expected a weight from 0 to 1e6, got " + dump_json(*weight).substr(0, 100));
    sample.weight = *number;
  }
  if (!read_row_text(reading, row, sample, where))
    return report(reading, "empty_answer", where, "expected a suffix, objects, an answer or a caption, got none");
  add_sample(reading, std::move(sample), file.parent_path(), where);
}

void read_suffix_objects(Reading& reading, Sample& sample, const std::string& where) {
  if (sample.answers.size() != 1 || sample.answers[0].find("<loc") == std::string::npos) return;
  const Parsed parsed = parse_objects(sample.answers[0], kLocFrame, {});
  std::vector<std::string> written;
  for (const Object& object : parsed.objects) {
    SampleObject truth{.label = object.label, .seg = object.seg};
    for (std::size_t i = 0; i < truth.box.size(); ++i) truth.box[i] = object.box[i] / kLocFrame.divisor;
    sample.objects.push_back(std::move(truth));
    written.push_back(object_text(object.loc, object.seg, object.label));
  }
  sample.unit = Unit::shares;
  if (parsed.warnings.empty() && join_objects(written) == sample.answers[0]) {
    const bool masks = std::ranges::all_of(parsed.objects, [](const Object& object) { return object.seg.has_value(); });
    sample.task = masks ? SampleTask::segment : SampleTask::detect;
    sample.answers.clear();
    for (const SampleObject& object : sample.objects)
      if (!object.label.empty()) add_class(reading, object.label);
  } else if (!parsed.warnings.empty()) {
    const Warning& first = parsed.warnings.front();
    report(reading, "suffix_text", where, join("kept as text: ", first.code, ": ", first.text.substr(0, 100)));
  }
}

}  // namespace paligemma
