// Changes values of inputs that are JSON, lines of JSON, or safetensors: most changed bytes only make text that no
// parser takes. For the one file of a target.
#pragma once

#include <cstring>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "io/json.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace json_mutator {

using paligemma::Json;
using Random = std::minstd_rand;

// The first inputs that the target's reader took, which are seeds. Most of a corpus is refused already, and a second
// fault behind the first one is not looked at.
inline std::vector<std::string>& taken() {
  static std::vector<std::string> inputs;
  return inputs;
}

inline void take(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMost = 16;
  if (taken().size() < kMost) taken().emplace_back(reinterpret_cast<const char*>(data), size);
}

// As often near the root as deep inside of a large list.
inline Json& any_value(Json& root, Random& random) {
  Json* value = &root;
  while (value->is_structured() && !value->empty() && random() % 4 != 0)
    value = &*std::next(value->begin(), static_cast<std::ptrdiff_t>(random() % value->size()));
  return *value;
}

inline std::string mutated_bytes(std::string text) {
  const std::size_t size = text.size();
  text.resize(size + 8);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

inline void change_member(Json& container, const Json& other, Random& random) {
  const auto any = [&] { return std::next(container.begin(), random() % container.size()); };
  const auto kind = random() % 3;
  if (kind == 0 && !container.empty())
    container.erase(any());
  else if (kind == 1 && !container.empty())
    std::swap(*any(), *any());
  else if (container.is_array())
    container.push_back(other);
  else if (!container.empty())
    container[mutated_bytes(any().key())] = other;
}

inline void change(Json& root, Random& random) {
  static const Json kOdd[] = {nullptr,    true,          false,         0,           1,         -1, 3,
                              0.5,        1e300,         INT32_MAX,     1ull << 32u, INT64_MAX, "", "/",
                              UINT64_MAX, Json::array(), Json::object()};
  Json& value = any_value(root, random);
  const Json other = any_value(root, random);
  const auto kind = random() % 8;
  if (kind == 0) {
    for (auto levels = random() % 64; levels > 0; --levels) value = Json::array({std::move(value)});
  } else if (kind <= 2) {
    value = other;
  } else if (kind <= 4) {
    value = kOdd[random() % std::size(kOdd)];
  } else if (value.is_structured()) {
    change_member(value, other, random);
  } else if (value.is_number_integer()) {
    value = value.get<std::uint64_t>() + (random() % 2 == 0 ? 1 : -1);
  } else if (value.is_string()) {
    value = mutated_bytes(value.get<std::string>());
  }
}

// Nothing for what is no JSON.
inline std::optional<std::string> changed(std::string_view text, Random& random) {
  try {
    Json json = paligemma::parse_json(text, "input", paligemma::ErrorKind::model);
    for (auto times = 1 + random() % 2; times > 0; --times) change(json, random);
    return paligemma::dump_json(json);
  } catch (const paligemma::Error&) {
    return {};
  }
}

inline std::optional<std::string> changed_header(std::string_view file, Random& random) {
  std::uint64_t length = 0;
  if (file.size() <= sizeof length) return {};
  std::memcpy(&length, file.data(), sizeof length);
  file.remove_prefix(sizeof length);
  if (length > file.size() || file[0] != '{') return {};
  const std::string_view tensors = file.substr(length);
  const auto header = changed(file.substr(0, length), random);
  if (!header) return {};
  length = header->size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length).append(*header).append(tensors);
}

inline std::optional<std::string> changed_line(std::string_view text, Random& random) {
  const std::size_t begin = text.rfind('\n', random() % (text.size() + 1)) + 1;  // 0 for the first line
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  const auto line = changed(text.substr(begin, end - begin), random);
  if (!line) return {};
  return std::string(text.substr(0, begin)) + *line + std::string(text.substr(end));
}

}  // namespace json_mutator

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  json_mutator::Random random(seed);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto& taken = json_mutator::taken();
  if (!taken.empty() && random() % 4 == 0) text = taken[random() % taken.size()];
  if (random() % 4 != 0)
    for (const auto form : {json_mutator::changed, json_mutator::changed_header, json_mutator::changed_line})
      if (const auto out = form(text, random); out && out->size() <= max_size) {
        std::memcpy(data, out->data(), out->size());
        return out->size();
      }
  return LLVMFuzzerMutate(data, size, max_size);
}
