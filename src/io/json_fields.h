// The fields of a JSON object, each checked as it is read. A field that is null counts as one that is not there.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "io/json.h"

namespace paligemma {

// What all messages about a file have in common: "`what`: `where`: field: expected this, got that".
struct JsonOrigin {
  ErrorKind kind;
  const char* code;
  std::string_view what;
  std::string where;
};

// Borrows the object. Everything throws Error{origin.kind, origin.code}.
class JsonFields {
 public:
  // `path` leads to the object from the whole text: "text_config", or empty.
  JsonFields(const Json& object, JsonOrigin origin, std::string path = {});
  JsonFields(Json&&, JsonOrigin, std::string = {}) = delete;

  // The object that a field holds; one without fields where there is none.
  JsonFields section(std::string_view key) const;

  // Nothing, or a null pointer, where there is no such field.
  const Json* find(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::int64_t> whole(std::string_view key, Limits<std::int64_t> limits) const;
  std::optional<double> number(std::string_view key, Limits<double> limits) const;

  // Refuses a field that is there and none of these.
  void require(std::string_view key, std::initializer_list<Json> allowed) const;
  // Refuses a field that is there and not `actual`, and names the witness: "the embedding says". Returns `actual`.
  std::int64_t agree(std::string_view key, std::int64_t actual, std::string_view witness) const;

  // The same for values that are parts of a field, called `key` in messages.
  std::int64_t whole(std::string_view key, const Json& value, Limits<std::int64_t> limits) const;
  double number(std::string_view key, const Json& value, Limits<double> limits) const;
  std::string text(std::string_view key, const Json& value) const;

  [[noreturn]] void refuse(std::string_view key, std::string_view expected, const Json& got) const;
  // What the field holds is what it got.
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  const Json& object() const { return *object_; }

 private:
  std::string place(std::string_view key) const;
  [[noreturn]] void refuse_text(std::string_view key, std::string_view expected, std::string_view got) const;

  const Json* object_;
  JsonOrigin origin_;
  std::string path_;
};

}  // namespace paligemma
