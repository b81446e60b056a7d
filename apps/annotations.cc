#include "annotations.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "folders.h"
#include "io/file.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr const char* kClassesFile = "classes.txt";
constexpr const char* kDataFile = "data.yaml";

struct FileForm {
  std::string_view word, suffix;
  bool each_picture;  // has a file of its own
};

FileForm form_of(AnnotationFormat format) {
  switch (format) {
    case AnnotationFormat::coco: return {"coco", ".json", false};
    case AnnotationFormat::csv: return {"csv", ".csv", false};
    case AnnotationFormat::jsonl: return {"jsonl", ".jsonl", false};
    case AnnotationFormat::yolo: return {"yolo", ".txt", true};
    case AnnotationFormat::voc: return {"voc", ".xml", true};
    case AnnotationFormat::labelme: return {"labelme", ".json", true};
    case AnnotationFormat::none: break;
  }
  return {};
}

// Without the symbolic links of its folders, so that one can be said relative to another.
fs::path real_path(const fs::path& path) {
  std::error_code ignored;
  const fs::path absolute = fs::absolute(path, ignored).lexically_normal();
  const fs::path folder = fs::weakly_canonical(absolute.parent_path(), ignored);
  return (folder.empty() ? absolute.parent_path() : folder) / absolute.filename();
}

// The pictures' paths in the deepest folder that holds all of them.
std::vector<std::string> names_in_common_folder(std::span<const std::string> inputs) {
  std::vector<fs::path> paths;
  for (const std::string& input : inputs) paths.push_back(input == "-" ? real_path("stdin") : real_path(input));
  fs::path common = paths.front().parent_path();
  const auto holds = [&](const fs::path& path) { return !path.lexically_relative(common).native().starts_with(".."); };
  for (const fs::path& path : paths) {
    while (!holds(path.parent_path()) && common.has_relative_path()) common = common.parent_path();
  }
  std::vector<std::string> names;
  for (const fs::path& path : paths) names.push_back(path.lexically_relative(common).string());
  return names;
}

void check_distinct(std::string_view format, std::span<const std::string> names, std::span<const std::string> inputs) {
  std::map<std::string_view, std::string_view> owners;
  if (format == "yolo") owners = {{kClassesFile, "the names of the classes"}, {kDataFile, "the names of the classes"}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [owner, is_new] = owners.emplace(names[i], inputs[i]);
    if (is_new) continue;
    fail(ErrorKind::usage, "name_taken", "--format ", format, ": expected one picture for ", names[i], ", got ",
         inputs[i], " after ", owner->second, ". Try: one folder of pictures at a time");
  }
}

}  // namespace

Annotations::Annotations(AnnotationFormat format, const std::string& output, std::span<const std::string> inputs,
                         const Request& request, bool force)
    : format_(format), inputs_(inputs.begin(), inputs.end()), overwrite_(force), categories_(request.labels) {
  if (!wanted()) return;
  name_pictures();
  if (form_of(format_).each_picture) {
    plan_folder(output, force);
  } else if (!output.empty()) {
    plan_file(output, force);
  }
  if (format_ == AnnotationFormat::csv) text_ = csv_header(request.task);
}

void Annotations::name_pictures() {
  const FileForm form = form_of(format_);
  if (format_ == AnnotationFormat::coco) {
    names_ = names_in_common_folder(inputs_);
  } else if (form.each_picture) {
    for (const std::string& input : inputs_) names_.push_back(picture_stem(input).append(form.suffix));
  } else {
    return;
  }
  check_distinct(form.word, names_, inputs_);
}

void Annotations::plan_file(const std::string& output, bool force) {
  const FileForm form = form_of(format_);
  if (names_folder(output)) {
    make_folder(output);
    file_ = fs::path(output) / std::string("annotations").append(form.suffix);
    if (!force) check_free(file_);
    return;
  }
  file_ = output;
  if (file_.extension() != form.suffix) {
    fail(ErrorKind::usage, "bad_value", "-o ", output, ": expected ", form.suffix, " for --format ", form.word,
         ", got ", file_.extension().string(), ". Try: a folder's name with a / at its end");
  }
  make_folder(file_.parent_path());
  overwrite_ = true;  // what -o names
}

void Annotations::plan_folder(const std::string& output, bool force) {
  if (output.empty() || !names_folder(output)) {
    fail(ErrorKind::usage, "bad_value", "--format ", form_of(format_).word, ": expected -o with a folder's name, got ",
         output.empty() ? "none" : output, ". Try: -o labels/");
  }
  folder_ = output;
  make_folder(folder_);
  if (force) return;
  for (const std::string& name : names_) check_free(folder_ / name);
  if (format_ == AnnotationFormat::yolo) check_free(folder_ / kClassesFile), check_free(folder_ / kDataFile);
}

void Annotations::add(std::size_t index, const Result& result, Output& output) {
  const auto file = [&] { return folder_ / names_[index]; };
  switch (format_) {
    case AnnotationFormat::coco: return coco_.add(static_cast<int>(index) + 1, names_[index], result, categories_);
    case AnnotationFormat::csv: text_ += csv_rows(result); return print(output);
    case AnnotationFormat::jsonl: text_ += dump_json(result_json(result, output.fields)) + "\n"; return print(output);
    case AnnotationFormat::yolo: {
      const std::string labels = yolo_labels(result, categories_);
      write_classes();  // first: no label is ever there without its class
      return write(file(), labels);
    }
    case AnnotationFormat::voc: return write(file(), voc_annotation(result));
    case AnnotationFormat::labelme: {
      const fs::path picture = real_path(inputs_[index]).lexically_relative(real_path(folder_ / "."));
      return write(file(), labelme_annotation(result, picture.string()));
    }
    case AnnotationFormat::none: return;
  }
}

void Annotations::add_failure(std::size_t index, const Error& error, Output& output) {
  if (format_ != AnnotationFormat::jsonl) return;
  text_ += dump_json(failed_picture_json(inputs_[index], error)) + "\n";
  print(output);
}

void Annotations::finish(Output& output) {
  if (!wanted()) return;
  if (format_ == AnnotationFormat::yolo) write_classes();
  if (form_of(format_).each_picture) return;
  if (format_ == AnnotationFormat::coco) text_ = coco_.text(categories_);
  if (file_.empty()) {
    print(output);
  } else {
    write(file_, text_);
  }
}

void Annotations::write(const fs::path& file, const std::string& text) const {
  write_file(file, std::as_bytes(std::span(text)), overwrite_);
}

void Annotations::write_classes() {
  if (classes_written_ == categories_.names().size()) return;
  const bool again = classes_written_.has_value();
  for (const auto& [name, text] :
       {std::pair(kClassesFile, yolo_classes(categories_)), std::pair(kDataFile, yolo_data(categories_))})
    write_file(folder_ / name, std::as_bytes(std::span(text)), again || overwrite_);
  classes_written_ = categories_.names().size();
}

void Annotations::print(Output& output) {
  if (file_.empty()) output.write(std::exchange(text_, {}));
}

}  // namespace paligemma
