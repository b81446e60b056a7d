// A web page that shows pictures beside what was answered about them.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace paligemma {

struct SheetPicture {
  std::string title{};
  std::vector<std::string> files{};                            // pictures in the folder of the page
  std::vector<std::pair<std::string, std::string>> answers{};  // prompt, answer
};

// One HTML file that needs nothing but the pictures. All texts are escaped.
std::string contact_sheet(std::span<const SheetPicture> pictures);

}  // namespace paligemma
