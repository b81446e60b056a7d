#include "image/preprocessor.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "io/json.h"

namespace paligemma {
namespace {

class Settings {
 public:
  Settings(Json json, std::string where) : json_(std::move(json)), where_(std::move(where)) {
    if (!json_.is_object()) complain("", "an object", json_);
  }

  bool flag(const char* key) const {
    const Json value = get(key);
    if (!value.is_null() && !value.is_boolean()) complain(key, "true or false", value);
    return value.is_null() || value.get<bool>();
  }

  // Null when absent.
  Json get(const char* key) const { return json_.contains(key) ? json_.at(key) : Json(); }

  std::array<float, 3> channels(const char* key, std::array<float, 3> fallback) const {
    const Json value = get(key);
    if (value.is_null()) return fallback;
    if (value.is_array() && value.size() != 3) complain(key, "three numbers", value);
    std::array<float, 3> out;
    for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<float>(number(key, value.is_array() ? value[c] : value));
    return out;
  }

  // A number that is finite also as a float.
  double number(const char* key, const Json& value) const {
    if (!value.is_number() || std::abs(value.get<double>()) > std::numeric_limits<float>::max())
      complain(key, "numbers that fit a float", value);
    return value.get<double>();
  }

  void check_size(std::int64_t side) const {
    const Json size = get("size");
    if (size.is_null()) return;
    const Json height = size.is_object() && size.contains("height") ? size.at("height") : size;
    const Json width = size.is_object() && size.contains("width") ? size.at("width") : size;
    if (height != side || width != side)
      complain("size", std::to_string(side) + " by " + std::to_string(side) + ", as the vision tower takes", size);
  }

  [[noreturn]] void complain(const char* key, std::string_view expected, const Json& got) const {
    fail(ErrorKind::model, "preprocessor", "cannot use the picture settings: ", where_, ": ", key, ": expected ",
         expected, ", got ", got.dump());
  }

 private:
  Json json_;
  std::string where_;
};

std::optional<Settings> find_settings(const Folder& folder) {
  for (const char* file : {"preprocessor_config.json", "processor_config.json"}) {
    if (!folder.has(file)) continue;
    const std::string where = folder.name + "/" + file;
    const FileBytes bytes = folder.open(file);
    Json json = parse_json(bytes.text(), where, ErrorKind::model);
    if (std::string_view(file) == "preprocessor_config.json") return Settings(std::move(json), where);
    if (json.is_object() && json.contains("image_processor")) return Settings(json.at("image_processor"), where);
  }
  return {};
}

}  // namespace

Preprocessor read_preprocessor(const Folder& folder, std::int64_t side) {
  Preprocessor preprocessor;
  const auto settings = find_settings(folder);
  if (!settings) return preprocessor;
  if (!settings->flag("do_resize")) settings->complain("do_resize", "true", false);
  settings->check_size(side);
  if (const Json resample = settings->get("resample"); !resample.is_null()) {
    if (!resample.is_number_unsigned() || resample > 5) settings->complain("resample", "0 to 5", resample);
    preprocessor.filter = static_cast<Filter>(resample.get<int>());
  }
  Normalization& normalization = preprocessor.normalization;
  if (const Json factor = settings->get("rescale_factor"); !factor.is_null()) {
    normalization.rescale = settings->number("rescale_factor", factor);
  }
  if (!settings->flag("do_rescale")) normalization.rescale = 1;
  normalization.mean = settings->channels("image_mean", normalization.mean);
  normalization.std = settings->channels("image_std", normalization.std);
  for (const float s : normalization.std)
    if (!(std::abs(s) > 0)) settings->complain("image_std", "numbers other than 0", settings->get("image_std"));
  if (!settings->flag("do_normalize")) normalization.mean = {0, 0, 0}, normalization.std = {1, 1, 1};
  return preprocessor;
}

}  // namespace paligemma
