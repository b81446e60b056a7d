#include "bench/shapes.h"

#include <gtest/gtest.h>

#include <map>

#include "model/load.h"

namespace paligemma {
namespace {

// Parameter counts of the published Hugging Face checkpoints.
TEST(Shapes, HaveThePublishedParameterCounts) {
  const std::map<std::string, std::uint64_t> counts{
      {"paligemma-3b-224", 2923466480},    {"paligemma-3b-448", 2924351216},    {"paligemma-3b-896", 2927890160},
      {"paligemma2-3b-224", 3032242416},   {"paligemma2-3b-448", 3033127152},   {"paligemma2-3b-896", 3036666096},
      {"paligemma2-10b-224", 9662638832},  {"paligemma2-10b-448", 9663523568},  {"paligemma2-10b-896", 9667062512},
      {"paligemma2-28b-224", 27650487024}, {"paligemma2-28b-448", 27651371760}, {"paligemma2-28b-896", 27654910704}};
  ASSERT_EQ(shape_names().size(), counts.size());
  for (const std::string& name : shape_names())
    EXPECT_EQ(parameter_count(*shape_config(name)), counts.at(name)) << name;
}

TEST(Shapes, UnknownNameIsNothing) { EXPECT_FALSE(shape_config("paligemma3-3b-224")); }

TEST(Shapes, RandomPiecesDependOnTheirPlaceOnly) {
  const Config config = *shape_config("paligemma2-3b-224");
  const TensorSource source = random_source(config, 7), again = random_source(config, 7),
                     other = random_source(config, 8);
  const char* name = "language_model.model.layers.0.self_attn.k_proj.weight";
  source.rows("language_model.model.norm.weight", 0, 2304);
  const HostTensor a = source.rows(name, 64, 64), b = again.rows(name, 64, 64), c = other.rows(name, 64, 64);
  EXPECT_TRUE(std::ranges::equal(a.bytes, b.bytes));
  EXPECT_FALSE(std::ranges::equal(a.bytes, c.bytes));
}

}  // namespace
}  // namespace paligemma
