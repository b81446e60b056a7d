// A data set in whatever form it comes. The form is told from the contents of DATA, a file or a folder:
//
//   rows            prefix and suffix (big_vision, Roboflow), a caption, a question with answers (TextVQA, DocVQA), or
//                   objects (Hugging Face's metadata.jsonl and .csv), conversations (LLaVA, ShareGPT, messages): lines
//                   of JSON, a list in JSON, or CSV
//   coco            detection and instances; captions; Karpathy's captions
//   voc, yolo, labelme
//   questions       VQAv2 with its annotations; GQA
//   refs            RefCOCO's pickle with its instances.json
//   class folders   a folder of pictures for each class
//
// What is wrong with a part of it becomes a Problem and is left out; a data set of which nothing is left is an Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/decoded.h"
#include "data/sample.h"

namespace paligemma {

// Something that was left out or changed. Codes are stable words:
//
//   picture_missing, picture_unreadable, picture_url, picture_ambiguous    the sample is left out
//   duplicate_id, empty_answer, bad_row                                    the sample is left out
//   box_empty, box_outside, unknown_class, bad_shape, no_mask              the object is left out, or its shape
//   box_clipped                                                            the box is cut at the picture's edge
//   suffix_text                                                            tokens that are no objects: kept as text
struct Problem {
  std::string code{}, where{}, text{};
};

struct DatasetOptions {
  std::filesystem::path pictures{};      // where pictures are looked for first
  std::optional<SampleTask> task{};      // of objects: detect (the default) or segment
  std::string prefix = "caption en";     // of rows that have a suffix and no prefix
  std::string question = "What is it?";  // of class folders
  bool check_pictures = true;            // look into each picture's file; else only that it is there
};

struct Dataset {
  std::string form{};
  std::filesystem::path root{};
  std::vector<Sample> samples{};
  std::vector<std::string> classes{};
  std::vector<Problem> problems{};
  // Of samples that are drawn and not read: what lies at a place in an epoch. `samples` are those of epoch 0. Called by
  // any number of threads.
  std::function<DecodedSample(std::size_t place, std::uint64_t epoch)> drawn{};
};

// A sample as it is in an epoch: decode_sample(), or drawn.
DecodedSample sample_in_epoch(const Dataset& data, std::size_t place, std::uint64_t epoch,
                              const DecodeOptions& options = {});

// Throws Error{usage}: "data_not_found", "data_unknown" (no form is recognised, or several), "data_empty",
// "data_parquet", "data_no_suffix", "data_no_masks", "data_no_objects", "bad_class", or what the parser of a form
// throws for a file that is damaged as a whole.
Dataset open_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

std::size_t count_of(const Dataset& data, Split split);

// Makes samples of no split ones to train on, and where no sample is for validation, those of about `share` of the
// pictures. Which ones follows from the pictures' names and the seed alone, so that a data set that grows keeps them,
// and no picture is on both sides: at least one picture, and not all, of those that are not for tests.
void hold_out(Dataset& data, double share, std::uint64_t seed);

// A number that changes with any sample's text, objects, weight, split or picture (by its name and size in bytes), and
// not with the folder that the data lies in.
std::uint64_t fingerprint(const Dataset& data);

// "811 pictures, 52 classes, 3 without boxes, 4 unreadable: listed in PATH" and, on lines of their own, the form with
// its splits and the other problems by kind. `listing` is where problems_text() is written to; empty: nowhere.
std::string summary(const Dataset& data, const std::string& listing);

// A line for each problem: code, where, text, separated by tabs.
std::string problems_text(const Dataset& data);

}  // namespace paligemma
