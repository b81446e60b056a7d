// The pictures of the demo and what is asked about each.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

struct DemoScene {
  std::string_view name{};  // "beach"
  std::string_view file{};  // in pocket_folder()
  std::array<std::string_view, 3> questions{};
  std::string_view korean{};  // one more
  std::string_view labels{};  // to detect
  std::string_view label{};   // to segment
};

std::span<const DemoScene> demo_scenes();

// Every task once or more, without the pictures: English, and captions and answers in Korean too.
std::vector<Request> demo_requests(const DemoScene& scene);

// An answer for the eye: its text, or labels with scores and boxes; the begin of a long one.
std::string demo_answer(const Result& result);

}  // namespace paligemma
