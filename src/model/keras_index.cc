#include "model/keras_index.h"

#include "io/json.h"

namespace paligemma {

std::map<std::string, std::vector<std::string>> read_keras_index(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where, ErrorKind::model);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object())
    fail(ErrorKind::model, "index", "damaged index: ", where, ": expected an object \"weight_map\"");
  std::map<std::string, std::vector<std::string>> files;
  for (const auto& [group, value] : map->items()) {
    for (const Json& file : value.is_array() ? value : Json::array({value})) {
      if (!file.is_string() || file.get_ref<const std::string&>().find('/') != std::string::npos)
        fail(ErrorKind::model, "index", "damaged index: ", where, ": ", group, ": expected a file name, got ",
             dump_json(file));
      files[file.get<std::string>()].push_back(group.substr(group.starts_with('/') ? 1 : 0));
    }
  }
  return files;
}

}  // namespace paligemma
