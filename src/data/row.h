// A row of a data set: an object whose keys say what it is. Known keys, the first one that is there counts:
//
//   picture        image (text, {"path"}, or a list of one), file_name, image_file_name, image_path, img_path, img,
//                  filename, image_name, images (a list of one), image_id (a name without its extension)
//   conversations  [{"from": "human" | "gpt", "value"}]; messages [{"role": "user" | "assistant", "content"}]: a sample
//                  for each question with the answer behind it
//   suffix         with prefix, or without: a text, or a list of accepted ones
//   objects        {"bbox": [[x, y, width, height], ...], "categories" | "category" | "labels" | "label": [...]}
//   question       with answers, answer, multiple_choice_answer or label_for_paligemma
//   caption        captions, text, description: a text, or a list
//   label          a class; here and in objects a number is one that data/class_names.h names
//
// Beside them id, question_id, questionId or uid; weight; split, set_name or data_split; width and height; answer_type.
// A leading <image> of a prefix says what is known and is left out.
#pragma once

#include <string>
#include <vector>

#include "data/readers.h"

namespace paligemma {

// Adds the samples of a row; reports what is wrong with it. `file` is the file it stands in.
void add_row(Reading& reading, const Json& row, const std::filesystem::path& file, const std::string& where);

// A suffix of loc and seg tokens that is written as data/target.h writes it becomes objects; another one stays text,
// with its objects beside it.
void read_suffix_objects(Reading& reading, Sample& sample, const std::string& where);

}  // namespace paligemma
