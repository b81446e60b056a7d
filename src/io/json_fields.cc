#include "io/json_fields.h"

#include <algorithm>
#include <utility>

namespace paligemma {
namespace {

std::string range_text(Limits<double> limits) {
  if (limits == kPositiveFloat) return "a positive number that fits a float";
  if (limits == kFloatFromZero) return "a number from 0 on that fits a float";
  if (limits == kAnyFloat) return "a number that fits a float";
  return join("a number from ", limits.low, " to ", limits.high);
}

}  // namespace

JsonFields::JsonFields(const Json& object, JsonOrigin origin, std::string path)
    : object_(&object), origin_(std::move(origin)), path_(std::move(path)) {
  if (!object.is_object()) refuse({}, "an object", object);
}

JsonFields JsonFields::section(std::string_view key) const {
  static const Json empty = Json::object();
  const Json* value = find(key);
  return {value ? *value : empty, origin_, place(key)};
}

const Json* JsonFields::find(std::string_view key) const {
  const auto at = object_->find(key);
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

std::optional<bool> JsonFields::flag(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::optional<std::int64_t> JsonFields::whole(std::string_view key, Limits<std::int64_t> limits) const {
  const Json* value = find(key);
  return value ? std::optional(whole(key, *value, limits)) : std::nullopt;
}

std::optional<double> JsonFields::number(std::string_view key, Limits<double> limits) const {
  const Json* value = find(key);
  return value ? std::optional(number(key, *value, limits)) : std::nullopt;
}

void JsonFields::require(std::string_view key, std::initializer_list<Json> allowed) const {
  const Json* value = find(key);
  if (!value || std::ranges::count(allowed, *value) > 0) return;
  std::string expected;
  for (const Json& one : allowed) expected += (expected.empty() ? "" : " or ") + dump_json(one);
  refuse(key, expected);
}

std::int64_t JsonFields::agree(std::string_view key, std::int64_t actual, std::string_view witness) const {
  const Json* value = find(key);
  if (value && *value != actual)
    fail(origin_.kind, origin_.code, origin_.what, ": ", origin_.where, ": ", place(key), " is ", dump_json(*value),
         ", ", witness, " ", actual);
  return actual;
}

std::int64_t JsonFields::whole(std::string_view key, const Json& value, Limits<std::int64_t> limits) const {
  // Numbers above INT64_MAX are unsigned, and seem negative as signed ones.
  const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::int64_t>() >= 0) &&
                    value.get<std::int64_t>() >= limits.low && value.get<std::int64_t>() <= limits.high;
  if (!fits) refuse(key, join("a whole number from ", limits.low, " to ", limits.high), value);
  return value.get<std::int64_t>();
}

double JsonFields::number(std::string_view key, const Json& value, Limits<double> limits) const {
  if (!value.is_number() || !(value.get<double>() >= limits.low && value.get<double>() <= limits.high))
    refuse(key, range_text(limits), value);
  return value.get<double>();
}

std::string JsonFields::text(std::string_view key, const Json& value) const {
  if (!value.is_string()) refuse(key, "text", value);
  return value.get<std::string>();
}

void JsonFields::refuse(std::string_view key, std::string_view expected, const Json& got) const {
  constexpr std::size_t kShown = 100;
  const std::string text = dump_json(got);
  refuse_text(key, expected, text.size() > kShown ? text.substr(0, kShown) + "..." : text);
}

void JsonFields::refuse(std::string_view key, std::string_view expected) const {
  const auto at = object_->find(key);
  if (at == object_->end()) refuse_text(key, expected, "none");
  refuse(key, expected, *at);
}

void JsonFields::refuse_text(std::string_view key, std::string_view expected, std::string_view got) const {
  const std::string at = place(key);
  fail(origin_.kind, origin_.code, origin_.what, ": ", origin_.where, at.empty() ? "" : ": ", at, ": expected ",
       expected, ", got ", got);
}

std::string JsonFields::place(std::string_view key) const {
  return join(path_, path_.empty() || key.empty() ? "" : ".", key);
}

}  // namespace paligemma
