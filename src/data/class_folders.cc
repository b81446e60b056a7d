// A folder of pictures for each class, below folders of splits or not.
#include <algorithm>

#include "data/readers.h"

namespace paligemma {

void read_class_folders(Reading& reading, const Listing& listing) {
  const auto first_folder = [](std::string_view name) { return name.substr(0, name.find('/')); };
  const bool splits = std::ranges::all_of(listing.files, [&](const std::string& name) {
    const auto depth = std::ranges::count(name, '/');
    return !is_picture_name(name) || (depth >= 2 && split_of_word(first_folder(name)) != Split::none);
  });
  for (const std::string& name : listing.files) {
    if (!is_picture_name(name)) continue;
    std::string_view rest = name;
    Sample sample{.picture = {.name = name, .path = listing.root / name}, .task = SampleTask::answer};
    if (splits) {
      sample.split = split_of_word(first_folder(rest));
      rest.remove_prefix(rest.find('/') + 1);
    }
    if (rest.find('/') == rest.npos) {
      report(reading, "bad_row", name, "expected a picture in the folder of its class");
      continue;
    }
    const std::string label(first_folder(rest));
    add_class(reading, label);
    sample.prefix = reading.options.question;
    sample.answers = {label};
    add_sample(reading, std::move(sample), listing.root, name);
  }
}

}  // namespace paligemma
