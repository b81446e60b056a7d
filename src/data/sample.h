// One example of a data set as its files say it. What the model is to write is made of it late, by data/target.h, after
// augmentation; metrics compare with what stands here.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detect/run_lengths.h"

namespace paligemma {

// What the prefix and the suffix of a sample are made of.
enum class SampleTask {
  text,     // prefix and suffix as they stand
  caption,  // the suffix is one of the answers
  answer,   // the prefix is a question, the suffix one of its answers
  detect,   // the suffix names the objects' boxes and labels
  segment,  // and masks
  refer,    // the prefix is an expression, the suffix the box and mask of the object that it means
};
std::string_view task_name(SampleTask task);

enum class Split { none, train, validation, test };
std::string_view split_name(Split split);

// The part of a picture that an object covers: the pixels in any of the polygons (x1 y1 x2 y2 ...), or in the runs.
struct ObjectShape {
  std::vector<std::vector<double>> polygons{};
  RunLengths runs{};
  bool empty() const { return polygons.empty() && runs.counts.empty(); }
};

struct SampleObject {
  std::string label{};
  std::array<double, 4> box{};  // x1 y1 x2 y2, x2 and y2 exclusive
  ObjectShape shape{};
  std::optional<std::array<int, 16>> seg{};  // mask codes that the data itself holds
  bool crowd = false;                        // several things in one: no target, and nothing that a metric misses
};

struct SamplePicture {
  std::string name{};            // as the data names it, the same wherever the data lies
  std::filesystem::path path{};  // where it lies
  bool in_labelme = false;       // `path` is a LabelMe document that has the picture's bytes inside
};

// What boxes and polygons count: pixels of the picture, or shares of its sides.
enum class Unit { pixels, shares };

struct Sample {
  std::string id{};  // one of a kind in a data set
  SamplePicture picture{};
  int width = 0, height = 0;  // of the picture as the data says; 0 where it does not
  SampleTask task = SampleTask::text;
  std::string prefix{};                 // text: all of it; answer: the question; refer: the expression; else empty
  std::vector<std::string> answers{};   // accepted ones, an answer given twice is there twice
  std::vector<SampleObject> objects{};  // with SampleTask::text what its one answer spells, for metrics and drawings
  Unit unit = Unit::pixels;
  double weight = 1;
  Split split = Split::none;
  std::string group{};        // kind of question, for results: "answer.en.count"; empty: as the prompt begins
  std::string answer_type{};  // of VQAv2: "yes/no", "number", "other"
  std::string source_id{};    // of the image or question in the data's own files, as results for them want it
};

// Whether all objects' boxes and shapes are in pixels of a picture of this size; makes them so first. False where the
// data speaks of a picture of another size.
bool bring_to_pixels(Sample& sample, int width, int height);

}  // namespace paligemma
