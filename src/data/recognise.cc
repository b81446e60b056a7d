#include "data/recognise.h"

#include "data/listing.h"
#include "io/file.h"
#include "io/json.h"

namespace paligemma {
namespace {

// Keys of a row of any kind; data/row.h reads them.
bool is_row_key(std::string_view key) {
  for (const std::string_view name : {"image", "prefix", "suffix", "file_name", "image_file_name", "objects",
                                      "question", "caption", "conversations", "messages"})
    if (key == name) return true;
  return false;
}

bool is_row(const Json& value) {
  if (!value.is_object()) return false;
  for (const auto& [key, member] : value.items())
    if (is_row_key(key)) return true;
  return false;
}

Form form_of_annotation(const Json& value) {
  if (!value.is_object()) return Form::unknown;
  if (value.contains("caption")) return Form::captions;
  if (value.contains("question_id")) return Form::answers;
  if (value.contains("keypoints")) return Form::keypoints;
  return value.contains("category_id") ? Form::coco : Form::unknown;
}

// What an item of the outermost value says; unknown where it says nothing.
Form form_of_item(const std::string& key, const Json& value) {
  if (key.empty()) return is_row(value) ? Form::rows : Form::unknown;
  if (key == "shapes" || key == "imageData") return Form::labelme;
  if (key == "questions") return value.is_object() ? Form::questions : Form::unknown;
  if (key == "annotations") return form_of_annotation(value);
  if (key == "data" && is_row(value)) return Form::rows;
  if (key == "images" && value.is_object() && value.contains("sentences")) return Form::karpathy;
  if (is_row_key(key)) return Form::rows;
  if (value.is_object() && value.contains("imageId") && value.contains("question")) return Form::gqa;
  return Form::unknown;
}

Form form_of_json(std::string_view text) {
  constexpr int kMostItems = 1000;  // of which none says anything
  Form form = Form::unknown;
  bool has_images = false, has_categories = false;
  int rest = 0;
  std::string last;
  try {
    parse_json_items(text, "", ErrorKind::usage, [&](const std::string& key, const Json& value) {
      const bool again = key == last && !key.empty();
      last = key;
      has_images |= key == "images";
      has_categories |= key == "categories";
      form = form_of_item(key, value);
      if (form == Form::unknown && !again) ++rest;
      return form == Form::unknown && rest < kMostItems;
    });
  } catch (const Error&) {  // lines of JSON are no document behind the first line, which has said all by then
  }
  return form == Form::unknown && has_images && has_categories ? Form::coco : form;
}

bool is_pickle_name(std::string_view extension) {
  return extension == ".p" || extension == ".pkl" || extension == ".pickle";
}

}  // namespace

std::string_view form_name(Form form) {
  switch (form) {
    case Form::rows: return "rows in JSON";
    case Form::table: return "CSV";
    case Form::coco: return "COCO";
    case Form::keypoints: return "COCO keypoints";
    case Form::captions: return "COCO captions";
    case Form::karpathy: return "Karpathy's captions";
    case Form::questions:
    case Form::answers: return "VQAv2";
    case Form::gqa: return "GQA";
    case Form::refs: return "RefCOCO";
    case Form::labelme: return "LabelMe";
    case Form::voc: return "VOC";
    case Form::yolo: return "YOLO";
    case Form::parquet: return "parquet";
    case Form::unknown: break;
  }
  return "unknown";
}

Form recognise(std::string_view text, std::string_view name) {
  const std::string extension = extension_of(name);
  if (text.starts_with("PAR1") || text.starts_with("ARROW1") || extension == ".parquet" || extension == ".arrow")
    return Form::parquet;
  if (extension == ".csv" || extension == ".tsv") return Form::table;
  if (extension == ".yaml" || extension == ".yml") return Form::yolo;
  if (is_pickle_name(extension) || text.starts_with("\x80\x02") || text.starts_with("\x80\x04")) return Form::refs;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return Form::unknown;
  if (text[begin] == '<') return Form::voc;
  return text[begin] == '{' || text[begin] == '[' ? form_of_json(text) : Form::unknown;
}

Form recognise(const std::filesystem::path& path) {
  return recognise(FileBytes::map(path, ErrorKind::usage).text(), path.generic_string());
}

}  // namespace paligemma
