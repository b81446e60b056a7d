#include "data/class_names.h"

#include "data/readers.h"
#include "io/yaml.h"

namespace paligemma {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

std::optional<std::string> small_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  return std::string(FileBytes::read(path, ErrorKind::usage, kMostBytes).text());
}

std::vector<std::string> named_lines(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) names.emplace_back(line);
    begin = end + 1;
  }
  return names;
}

// What stands between two lines "---" at the beginning.
std::string_view card_of(std::string_view text) {
  constexpr std::string_view kFence = "---\n";
  if (!text.starts_with(kFence)) return {};
  text.remove_prefix(kFence.size());
  const std::size_t end = text.find("\n---");
  return end == text.npos ? std::string_view() : text.substr(0, end + 1);
}

}  // namespace

std::vector<std::string> class_label_names(const Json& card) {
  if (const Json* label = member(card, "class_label")) {
    std::vector<std::string> names;
    const Json* listed = member(*label, "names");
    if (listed && listed->is_structured())
      for (const auto& [key, name] : listed->items())
        if ((listed->is_array() || key == std::to_string(names.size())) && name.is_primitive())
          names.push_back(name.is_string() ? name.get<std::string>() : dump_json(name));
    if (!names.empty()) return names;
  }
  if (card.is_structured())
    for (const Json& part : card)
      if (auto names = class_label_names(part); !names.empty()) return names;
  return {};
}

std::vector<std::string> names_of_numbers(const std::filesystem::path& folder) {
  try {
    if (const auto lines = small_file(folder / "classes.txt")) return named_lines(*lines);
    const auto readme = small_file(folder / "README.md");
    return readme ? class_label_names(parse_yaml(card_of(*readme), "README.md", ErrorKind::usage))
                  : std::vector<std::string>();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace paligemma
