// Keys of rank_pattern and alpha_pattern. What matches is what Python's re.match(rf"(.*\.)?({key})$", name) says.
#include "model/module_pattern.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace paligemma {
namespace {

constexpr std::string_view kName = "model.language_model.layers.1.self_attn.q_proj";

TEST(ModulePattern, MatchesTheEndOfANameBehindADot) {
  for (const char* expression :
       {"q_proj", "self_attn.q_proj", R"(layers\.1\.self_attn\.q_proj)",
        "model.language_model.layers.1.self_attn.q_proj", R"(^model\.language_model.*)", "[qk]_proj", "(?:q|k)_proj",
        R"(layers\.[0-3]\..*)", "(?!v_proj)q_proj", ".*", R"(.*language_model.*\.(q_proj|v_proj))"})
    EXPECT_TRUE(ModulePattern(expression, "x").matches(kName)) << expression;
  for (const char* expression : {"proj", "_proj", "q_pro", "layers", R"(layers\.2\..*)", "^language_model.*", "Q_proj",
                                 "", R"(.*vision_tower.*\.(q_proj|v_proj))", "(?<!q)_proj"})
    EXPECT_FALSE(ModulePattern(expression, "x").matches(kName)) << expression;
  EXPECT_TRUE(ModulePattern("q_proj", "x").matches("q_proj"));
}

TEST(ModulePattern, RefusesWhatIsNoExpression) {
  expect_error(ErrorKind::model, "adapter_config", "rank_pattern: (q_proj",
               [] { ModulePattern("(q_proj", "adapter_config.json: rank_pattern"); });
  expect_error(ErrorKind::model, "adapter_config", "at most 512", [] { ModulePattern(std::string(513, 'a'), "x"); });
  EXPECT_THROW(ModulePattern(std::string(100, '(') + std::string(100, ')'), "x"), Error);
  EXPECT_THROW(ModulePattern("((((a{1,60000}){1,60000}){1,60000}){1,60000})", "x"), Error);
}

TEST(ModulePattern, MatchesThatExplodeEndInAnError) {
  const std::string name(80, 'a');
  for (const char* expression : {"(a+)+b", "(a|aa)+b", "(.*)(.*)(.*)(.*)(.*)ab"})
    expect_error(ErrorKind::model, "adapter_config", expression,
                 [&] { ModulePattern(expression, "x").matches(name + "cb"); });
}

}  // namespace
}  // namespace paligemma
