// What form a file of a data set has, told from its first bytes and keys.
#pragma once

#include <filesystem>
#include <string_view>

namespace paligemma {

enum class Form {
  unknown,
  rows,       // one JSON object a line, or lists of such objects
  table,      // CSV with a header
  coco,       // images, annotations with boxes, categories
  keypoints,  // the same with keypoints: coco beside the file of instances
  captions,   // images, annotations with captions
  karpathy,   // images with sentences
  questions,  // VQAv2's questions
  answers,    // VQAv2's annotations
  gqa,        // questions by their ids
  refs,       // a pickle
  labelme,
  voc,
  yolo,     // data.yaml
  parquet,  // and Arrow: not read
};
std::string_view form_name(Form form);

// Never throws for what the file holds.
Form recognise(const std::filesystem::path& path);
Form recognise(std::string_view text, std::string_view name);

}  // namespace paligemma
