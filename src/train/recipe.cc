#include "train/recipe.h"

#include <algorithm>

#include "base/error.h"
#include "io/toml.h"

namespace paligemma {
namespace {

[[noreturn]] void refuse_setting(std::string_view where, std::string_view name, std::string_view expected,
                                 const Json& got) {
  fail(ErrorKind::usage, "recipe", "bad recipe: ", where, ": ", name, ": expected ", expected, ", got ",
       dump_json(got));
}

struct SettingReader {
  const Json& json;
  std::string_view where;

  const Json* find(std::string_view name) const {
    const auto found = json.find(std::string(name));
    return found == json.end() ? nullptr : &*found;
  }
  void operator()(std::string_view name, std::string& field, const RecipeText&) const {
    if (const Json* value = find(name)) {
      if (!value->is_string()) refuse_setting(where, name, "text", *value);
      field = value->get<std::string>();
    }
  }
  void operator()(std::string_view name, std::string& field, const RecipeWords& about) const {
    (*this)(name, field, RecipeText{});
    check_word(name, field, about);
  }
  void operator()(std::string_view name, std::vector<std::string>& field, const RecipeText&) const {
    const Json* value = find(name);
    if (!value) return;
    const auto text = [](const Json& item) { return item.is_string(); };
    if (!value->is_array() || !std::ranges::all_of(*value, text)) refuse_setting(where, name, "a list of text", *value);
    field = value->get<std::vector<std::string>>();
  }
  void operator()(std::string_view name, std::int64_t& field, const RecipeWhole& about) const {
    const Json* value = find(name);
    if (!value) return;
    if (!value->is_number_integer() || value->get<std::int64_t>() < about.low ||
        value->get<std::int64_t>() > about.high)
      refuse_setting(where, name, join("a whole number from ", about.low, " to ", about.high), *value);
    field = value->get<std::int64_t>();
  }
  void operator()(std::string_view name, double& field, const RecipeReal& about) const {
    const Json* value = find(name);
    if (!value) return;
    if (!value->is_number() || !(value->get<double>() >= about.low && value->get<double>() <= about.high))
      refuse_setting(where, name, join("a number from ", about.low, " to ", about.high), *value);
    field = value->get<double>();
  }
  void operator()(std::string_view name, bool& field, const RecipeSwitch&) const {
    const Json* value = find(name);
    if (!value) return;
    if (!value->is_boolean()) refuse_setting(where, name, "true or false", *value);
    field = value->get<bool>();
  }
};

}  // namespace

void check_word(std::string_view name, std::string_view value, const RecipeWords& about) {
  if (std::ranges::find(about.words, value) != about.words.end()) return;
  std::string words;
  for (const std::string_view word : about.words) words.append(words.empty() ? "" : ", ").append(word);
  fail(ErrorKind::usage, "recipe", "bad recipe: ", name, ": expected one of ", words, ", got ", value);
}

std::string option_name(std::string_view setting) {
  std::string name = join("--", setting);
  std::ranges::replace(name, '_', '-');
  return name;
}

Recipe read_recipe(std::string_view toml, std::string_view where) {
  const Json json = parse_toml(toml, where, ErrorKind::usage);
  Recipe recipe;
  std::vector<std::string_view> known;
  visit_recipe(recipe, [&](std::string_view name, auto&, const auto&) { known.push_back(name); });
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(known, key) == known.end())
      fail(ErrorKind::usage, "recipe", "bad recipe: ", where, ": unknown setting ", key,
           ". Try: paligemma train --help, whose options are the settings");
  visit_recipe(recipe, SettingReader{json, where});
  return recipe;
}

std::string write_recipe(const Recipe& recipe) {
  Json json = Json::object();
  visit_recipe(recipe, [&](std::string_view name, const auto& field, const auto&) { json[std::string(name)] = field; });
  return dump_toml(json);
}

}  // namespace paligemma
