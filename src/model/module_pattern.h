// The keys of PEFT's rank_pattern and alpha_pattern: regular expressions that name modules of a network.
//
// peft utils/other.py get_pattern_key: a key stands for the modules whose whole name, or whose part behind a dot, it
// matches. Expressions come from a file, so all that they may cost is bounded: their length, and the steps of a match.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace paligemma {

class ModulePattern {
 public:
  // `where` names the field in messages. Throws Error{model, "adapter_config"} for what is no regular expression.
  ModulePattern(const std::string& expression, std::string_view where);
  ~ModulePattern();
  ModulePattern(ModulePattern&&) noexcept;
  ModulePattern& operator=(ModulePattern&&) noexcept;

  // Throws Error{model, "adapter_config"} when the match takes too long.
  bool matches(std::string_view module) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace paligemma
