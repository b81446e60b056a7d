#include "image/preprocessor.h"

#include <array>
#include <cmath>
#include <string>

#include "io/json_fields.h"

namespace paligemma {
namespace {

// A list of three, or one number for all.
std::array<float, 3> channels(const JsonFields& settings, std::string_view key, std::array<float, 3> fallback) {
  const Json* value = settings.find(key);
  if (!value) return fallback;
  if (value->is_array() && value->size() != 3) settings.refuse(key, "three numbers");
  std::array<float, 3> out;
  for (std::size_t c = 0; c < 3; ++c)
    out[c] = static_cast<float>(settings.number(key, value->is_array() ? (*value)[c] : *value, kAnyFloat));
  return out;
}

void check_size(const JsonFields& settings, std::int64_t side) {
  const Json* size = settings.find("size");
  if (!size) return;
  const auto agrees = [&](const char* key) {
    return (size->is_object() && size->contains(key) ? size->at(key) : *size) == side;
  };
  if (!agrees("height") || !agrees("width"))
    settings.refuse("size", join(side, " by ", side, ", as the vision tower takes"));
}

Preprocessor read_settings(const JsonFields& settings, std::int64_t side) {
  const auto does = [&](const char* key) { return settings.flag(key).value_or(true); };
  Preprocessor preprocessor;
  if (!does("do_resize")) settings.refuse("do_resize", "true");
  check_size(settings, side);
  if (const auto filter = settings.whole("resample", {0, 5})) preprocessor.filter = static_cast<Filter>(*filter);
  Normalization& normalization = preprocessor.normalization;
  normalization.rescale = settings.number("rescale_factor", kAnyFloat).value_or(normalization.rescale);
  if (!does("do_rescale")) normalization.rescale = 1;
  normalization.mean = channels(settings, "image_mean", normalization.mean);
  normalization.std = channels(settings, "image_std", normalization.std);
  for (const float s : normalization.std)
    if (!(std::abs(s) > 0)) settings.refuse("image_std", "numbers other than 0");
  if (!does("do_normalize")) normalization.mean = {0, 0, 0}, normalization.std = {1, 1, 1};
  return preprocessor;
}

}  // namespace

Preprocessor read_preprocessor(const Folder& folder, std::int64_t side) {
  for (const std::string_view file : {"preprocessor_config.json", "processor_config.json"}) {
    if (!folder.has(file)) continue;
    const std::string where = join(folder.name, "/", file);
    const FileBytes bytes = folder.open(file);
    const Json json = parse_json(bytes.text(), where, ErrorKind::model);
    const JsonFields fields(json, {ErrorKind::model, "preprocessor", "cannot use the picture settings", where});
    if (file == "preprocessor_config.json") return read_settings(fields, side);
    if (fields.find("image_processor")) return read_settings(fields.section("image_processor"), side);
  }
  return {};
}

}  // namespace paligemma
