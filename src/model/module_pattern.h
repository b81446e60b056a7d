// Regular expressions that name modules and tensors of a network: the keys of PEFT's rank_pattern and alpha_pattern,
// and what is trained or stays.
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
  enum class Of { whole_or_end, whole };  // what of a name it has to match

  // `where` names the field in messages. Throws for what is no regular expression: Error{model, "adapter_config"}, or
  // of whole names, which people give, Error{usage, "pattern"}.
  ModulePattern(const std::string& expression, std::string_view where, Of of = Of::whole_or_end);
  ~ModulePattern();
  ModulePattern(ModulePattern&&) noexcept;
  ModulePattern& operator=(ModulePattern&&) noexcept;

  // Throws the same when the match takes too long.
  bool matches(std::string_view module) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace paligemma
