// stage 8/8: results of detect and segment -> the files of labelling and training tools. What each form holds is
// written here.
//
// Pixels are those of the upright picture, as in Object::box, unless a form counts otherwise. A label or path in text
// or XML has control characters and bytes that are not UTF-8 written as report/printable.h does; in JSON such bytes
// become U+FFFD. An object of `segment` without a mask, or with an empty one, is its box.
#pragma once

#include <paligemma/paligemma.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// What an object is called where it must have a name: its label, or "object" without one.
std::string category_name(const Object& object);

// The categories of a data set: the asked labels in their order, then labels that the model invented as they come.
class Categories {
 public:
  explicit Categories(std::span<const std::string> labels);

  // The place of an object's category, from 0; a new one when it is not there yet.
  std::size_t place(const Object& object) { return place_name(category_name(object)); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::size_t place_name(const std::string& name);

  std::vector<std::string> names_;
};

// COCO: one document of all pictures, as pycocotools reads it.
//
//   images        id, file_name, width, height
//   annotations   id (from 1), image_id, category_id, bbox [x, y, width, height] in float pixels, area, iscrowd 0,
//                 segmentation (the mask's run lengths {"size", "counts"} in the compressed form; [] without a mask),
//                 and score where there is one. The area is the mask's, else the box's.
//   categories    id (from 1), name
class CocoDocument {
 public:
  void add(int image_id, std::string_view file_name, const Result& result, Categories& categories);
  std::string text(const Categories& categories) const;

 private:
  std::string images_, annotations_;  // elements of the arrays, joined by commas
  int last_annotation_ = 0;
};

// YOLO: a line for each object, all numbers as shares of the picture's sides with 6 decimals.
//
//   detect    category centre_x centre_y width height
//   segment   category x1 y1 x2 y2 ...      one polygon for each object (detect/mask.h, outline())
//
// Categories count from 0. classes.txt has their names, one a line; data.yaml has nc and names.
std::string yolo_labels(const Result& result, Categories& categories);
std::string yolo_classes(const Categories& categories);
std::string yolo_data(const Categories& categories);

// Pascal VOC: an XML document. Boxes are whole pixels counted from 1, the last ones included, so that xmin - 1 and xmax
// are the box's edges rounded to pixels as a mask's are. There is no place for masks.
std::string voc_annotation(const Result& result);

// labelme: a JSON document with a rectangle, or for a mask a polygon (outline()), for each object, and its score beside
// it where there is one. `picture` is the picture's path relative to the document.
std::string labelme_annotation(const Result& result, std::string_view picture);

// CSV after RFC 4180 with a header and one row an object: path,label,score,x1,y1,x2,y2 and, for segment, rle: COCO's
// run lengths. What is not there is an empty field. Numbers read back the same.
std::string csv_header(Task task);
std::string csv_rows(const Result& result);

}  // namespace paligemma
