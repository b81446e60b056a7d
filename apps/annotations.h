// --format: results in the forms of other tools, on stdout, in one file or in a folder.
#pragma once

#include <paligemma/paligemma.h>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "output.h"
#include "report/annotations.h"

namespace paligemma {

enum class AnnotationFormat { none, coco, yolo, voc, labelme, csv, jsonl };

// Where they go. coco, csv and jsonl are one text about all pictures: on stdout, in the file that -o names, or in
// annotations.json, .csv or .jsonl of the folder that it names. yolo, voc and labelme are a file for each picture,
// called as the picture is, in the folder that -o names; yolo also writes classes.txt and data.yaml there.
class Annotations {
 public:
  // Writes nothing.
  Annotations() : categories_({}) {}

  // `output` is what -o says, `inputs` the path of each picture, `request` what is asked about all of them. Throws
  // Error{usage} for a place that doesn't suit the format, pictures that it could not tell apart and, without `force`,
  // files in the folder that are there already.
  Annotations(AnnotationFormat format, const std::string& output, std::span<const std::string> inputs,
              const Request& request, bool force);

  bool wanted() const { return format_ != AnnotationFormat::none; }

  // The result of picture `index`, in any order. Throws Error{failure, "write_failed"}, as the others do.
  void add(std::size_t index, const Result& result, Output& output);
  // In the place of a result; most formats have no such place.
  void add_failure(std::size_t index, const Error& error, Output& output);
  // To be called once at the end, also when the work was cut short: what was added becomes whole.
  void finish(Output& output);

 private:
  void name_pictures();
  void plan_file(const std::string& output, bool force);
  void plan_folder(const std::string& output, bool force);
  void write(const std::filesystem::path& file, const std::string& text) const;
  void write_classes();
  void print(Output& output);

  AnnotationFormat format_ = AnnotationFormat::none;
  std::vector<std::string> inputs_{};
  std::vector<std::string> names_{};  // of the pictures in the format's words
  std::filesystem::path folder_{};    // of the files of each picture
  std::filesystem::path file_{};      // of the text about all pictures; empty: stdout
  bool overwrite_ = false;
  Categories categories_;
  std::optional<std::size_t> classes_written_{};  // how many of them the files of yolo have
  CocoDocument coco_{};
  std::string text_{};  // about all pictures, not yet written
};

}  // namespace paligemma
