// The readers, one a form. Each adds its samples to the data set as the file says them; what they have in common is
// checked afterwards, in data/checks.h. All throw Error{usage} for a file that is damaged as a whole.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_map>

#include "data/dataset.h"
#include "data/listing.h"
#include "data/picture_finder.h"
#include "io/csv.h"
#include "io/file.h"
#include "io/json.h"

namespace paligemma {

struct Reading {
  Dataset& data;
  const DatasetOptions& options;
  PictureFinder& pictures;
  std::unordered_map<std::string, std::size_t> class_places{};
  std::optional<std::vector<std::string>> names_of_numbers{};  // where classes are numbers, read when one is met
};

// The whole file, at most 8 GiB.
FileBytes read_annotations(const std::filesystem::path& path);
// The path as messages and problems name it: relative to the data's folder.
std::string shown(const Reading& reading, const std::filesystem::path& path);
void report(Reading& reading, std::string code, std::string where, std::string text);
// The split that a path inside the data set says.
Split split_of(const Reading& reading, const std::filesystem::path& path);

// Adds it where it is new.
void add_class(Reading& reading, const std::string& name);
// Finds its picture and adds the sample; reports where there is no picture. `near` is the folder of the annotations.
void add_sample(Reading& reading, Sample sample, const std::filesystem::path& near, const std::string& where);
SampleTask objects_task(const Reading& reading);

// Numbers and text are both ids: 42 and "42" are the same. Empty for anything else.
std::string id_text(const Json& value);
const Json* member(const Json& object, std::string_view key);       // a null pointer without one, and for null
std::string member_text(const Json& object, std::string_view key);  // empty for what is no text
// x y width height -> a box; nothing unless that is four finite numbers.
std::optional<std::array<double, 4>> box_of_bbox(const Json& value);
// COCO's "segmentation": polygons or run lengths of either kind. Nothing for what is none.
std::optional<ObjectShape> shape_of_coco(const Json& value);

void read_rows(Reading& reading, const std::filesystem::path& file);
void read_table(Reading& reading, const std::filesystem::path& file);
void read_coco(Reading& reading, const std::filesystem::path& file);
void read_captions(Reading& reading, const std::filesystem::path& file);
void read_karpathy(Reading& reading, const std::filesystem::path& file);
void read_voc(Reading& reading, const std::vector<std::filesystem::path>& files);
void read_yolo(Reading& reading, const std::filesystem::path& data_yaml);
// Without data.yaml: label files, and the file with a class a line.
void read_yolo_labels(Reading& reading, const std::vector<std::filesystem::path>& files,
                      const std::filesystem::path& names);
void read_labelme(Reading& reading, const std::filesystem::path& file);
void read_questions(Reading& reading, const std::vector<std::filesystem::path>& questions,
                    const std::vector<std::filesystem::path>& answers);
void read_gqa(Reading& reading, const std::filesystem::path& file);
void read_refs(Reading& reading, const std::filesystem::path& pickle, const std::filesystem::path& instances);
void read_class_folders(Reading& reading, const Listing& listing);

}  // namespace paligemma
