// Names of classes that rows give by number, as Hugging Face's data sets do.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/json.h"

namespace paligemma {

// From classes.txt in the folder, a name a line, or the first "class_label" in the YAML at the head of README.md; none
// without either. Never throws for what the files hold.
std::vector<std::string> names_of_numbers(const std::filesystem::path& folder);

// The names of a class_label anywhere in the features of a data set's card: {"names": {"0": "cow", ...}} or a list.
std::vector<std::string> class_label_names(const Json& card);

}  // namespace paligemma
