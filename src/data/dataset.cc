#include "data/dataset.h"

#include <algorithm>
#include <map>

#include "data/checks.h"
#include "data/readers.h"
#include "data/recognise.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

using Files = std::vector<fs::path>;
using FilesByForm = std::map<Form, Files>;

constexpr const char* kParquetLine =
    "python3 -c \"import pyarrow.parquet as q,json,pathlib as "
    "p;o=p.Path('data');o.mkdir();f=open(o/'metadata.jsonl','w');"
    "[((o/f'{i}.jpg').write_bytes(r.pop('image')['bytes']),f.write(json.dumps({'file_name':f'{i}.jpg',**r},default=str)"
    "+'\\n')) for i,r in enumerate(q.read_table('FILE.parquet').to_pylist())]\"";

[[noreturn]] void refuse_parquet(const fs::path& path) {
  fail(ErrorKind::usage, "data_parquet", "cannot read the data: ", path.native(),
       ": expected files of text and pictures, got parquet or Arrow. Try: pip install pyarrow, then ", kParquetLine);
}

bool may_be_annotations(const std::string& extension) {
  for (const std::string_view known : {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".yaml", ".yml", ".xml", ".p",
                                       ".pkl", ".pickle", ".parquet", ".arrow"})
    if (extension == known) return true;
  return false;
}

bool is_data_yaml(const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  return bytes.text().starts_with("names:") || bytes.text().find("\nnames:") != std::string_view::npos;
}

// Thousands of documents of one picture each are not all looked into.
FilesByForm forms_of(const Listing& listing) {
  constexpr std::size_t kEnough = 20;
  FilesByForm forms;
  for (const std::string& name : listing.files) {
    const std::string extension = extension_of(name);
    if (!may_be_annotations(extension)) continue;
    const fs::path file = listing.root / name;
    Form form = Form::voc;
    if (extension == ".json" && forms.size() == 1 && forms[Form::labelme].size() >= kEnough) {
      form = Form::labelme;
    } else if (extension != ".xml") {
      form = recognise(file);
    }
    if (form == Form::yolo && !is_data_yaml(file)) form = Form::unknown;
    if (form != Form::unknown) forms[form].push_back(file);
  }
  std::erase_if(forms, [](const auto& one) { return one.second.empty(); });
  return forms;
}

// What belongs together becomes one form.
void settle(FilesByForm& forms) {
  if (forms.size() > 1) forms.erase(Form::parquet);
  if (const auto keypoints = forms.find(Form::keypoints); keypoints != forms.end()) {
    forms.try_emplace(Form::coco, keypoints->second);
    forms.erase(Form::keypoints);
  }
  if (forms.contains(Form::questions) && forms.contains(Form::answers)) return;
  if (forms.contains(Form::answers))
    fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", forms[Form::answers].front().native(),
         ": expected the questions beside their annotations, got none");
}

fs::path instances_beside(const fs::path& pickle, const FilesByForm& forms) {
  const fs::path wanted = pickle.parent_path() / "instances.json";
  const auto documents = forms.find(Form::coco);
  if (documents != forms.end() && std::ranges::count(documents->second, wanted) > 0) return wanted;
  fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", pickle.native(),
       ": expected instances.json beside it, got none");
}

[[noreturn]] void refuse_several(const fs::path& path, const FilesByForm& forms) {
  std::string found;
  for (const auto& [form, files] : forms)
    found += join(found.empty() ? "" : ", ", form_name(form), " (", files.front().lexically_relative(path).native(),
                  files.size() > 1 ? ", ..." : "", ")");
  fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", path.native(), ": expected one form, got ", found,
       ". Try: the file itself");
}

// One by one, where a damaged one among many is a problem and no end.
void read_each(Reading& reading, const Files& files, void (*read)(Reading&, const fs::path&)) {
  for (const fs::path& file : files) {
    try {
      read(reading, file);
    } catch (const Error& error) {
      if (files.size() == 1 || error.code() != "json") throw;
      report(reading, "bad_row", shown(reading, file), error.what());
    }
  }
}

void read_form(Reading& reading, const fs::path& path, const FilesByForm& forms) {
  const auto refs = forms.find(Form::refs);
  const Form form = refs != forms.end() ? Form::refs : forms.begin()->first;
  const Files& files = forms.at(form);
  const bool two_parts = form == Form::questions && forms.contains(Form::answers);
  if (forms.size() > 1 && !(form == Form::refs || (two_parts && forms.size() == 2))) refuse_several(path, forms);
  reading.data.form = form_name(form);
  switch (form) {
    case Form::rows: return read_each(reading, files, read_rows);
    case Form::table: return read_each(reading, files, read_table);
    case Form::coco:
    case Form::keypoints: return read_each(reading, files, read_coco);
    case Form::captions: return read_each(reading, files, read_captions);
    case Form::karpathy: return read_each(reading, files, read_karpathy);
    case Form::questions: return read_questions(reading, files, two_parts ? forms.at(Form::answers) : Files());
    case Form::answers: break;
    case Form::gqa: return read_each(reading, files, read_gqa);
    case Form::labelme: return read_each(reading, files, read_labelme);
    case Form::voc: return read_voc(reading, files);
    case Form::parquet: refuse_parquet(files.front());
    case Form::refs:
      if (files.size() > 1) refuse_several(path, forms);
      return read_refs(reading, files.front(), instances_beside(files.front(), forms));
    case Form::yolo:
      if (files.size() > 1) refuse_several(path, forms);
      return read_yolo(reading, files.front());
    case Form::unknown: break;
  }
}

// Without a file that says what it is: labels of YOLO beside the names of their classes, or folders of pictures.
void read_unlabelled(Reading& reading, const fs::path& path, const Listing& listing) {
  Files labels;
  fs::path names;
  std::size_t pictures = 0, in_folders = 0;
  for (const std::string& name : listing.files) {
    const fs::path file = listing.root / name;
    const std::string last = file.filename().string();
    if (last == "classes.txt" || last == "obj.names" || last == "_darknet.labels") {
      if (names.empty()) names = file;
    } else if (extension_of(name) == ".txt" && !last.starts_with("README")) {
      labels.push_back(file);
    } else if (is_picture_name(name)) {
      ++pictures, in_folders += name.find('/') != name.npos;
    }
  }
  if (!names.empty() && !labels.empty()) {
    reading.data.form = "YOLO";
    return read_yolo_labels(reading, labels, names);
  }
  if (pictures > 0 && in_folders == pictures && labels.empty()) {
    reading.data.form = "folders of classes";
    return read_class_folders(reading, listing);
  }
  fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", path.native(),
       ": expected JSON lines, COCO, VOC, YOLO (data.yaml or classes.txt), LabelMe, VQA, RefCOCO, CSV, or a folder for "
       "each "
       "class, got ",
       listing.files.size(), " files, ", pictures, " of them pictures. Try: docs/training.md has the forms");
}

// A file's pictures and its other parts are looked for around it.
fs::path folder_of(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  for (const char* name : {"annotations", "Annotations", "labels"})
    if (folder.filename() == name) return folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  return folder;
}

FilesByForm forms_of_file(const fs::path& file) {
  const Form form = recognise(file);
  if (form == Form::unknown)
    fail(ErrorKind::usage, fs::is_empty(file) ? "data_empty" : "data_unknown", "cannot read the data: ", file.native(),
         fs::is_empty(file) ? ": expected samples, got an empty file"
                            : ": expected a known form, got something else. Try: docs/training.md has the forms");
  FilesByForm forms{{form, {file}}};
  if (form != Form::refs && form != Form::questions && form != Form::answers) return forms;
  // The other part is beside it.
  FilesByForm beside = forms_of(list_files(file.has_parent_path() ? file.parent_path() : "."));
  for (const Form other : {Form::coco, Form::questions, Form::answers})
    if (other != form && (other == Form::coco) == (form == Form::refs) && beside.contains(other))
      forms.emplace(other, beside[other]);
  return forms;
}

}  // namespace

Dataset open_dataset(const fs::path& path, const DatasetOptions& options) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  if (!is_folder && !fs::is_regular_file(path, error))
    fail(ErrorKind::usage, "data_not_found", "cannot read the data: ", path.native(),
         ": expected a file or a folder, got ", error ? error.message() : "something else");
  const Listing listing = is_folder ? list_files(path) : Listing{.root = folder_of(path)};
  Dataset data{.root = listing.root};
  PictureFinder pictures(listing, options.pictures);
  Reading reading{.data = data, .options = options, .pictures = pictures};
  FilesByForm forms = is_folder ? forms_of(listing) : forms_of_file(path);
  settle(forms);
  if (forms.empty()) {
    read_unlabelled(reading, path, listing);
  } else {
    read_form(reading, path, forms);
  }
  check_samples(reading);
  return data;
}

}  // namespace paligemma
