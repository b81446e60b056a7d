#include "image/preprocessor.h"

#include <string>

#include "support/errors.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;

Preprocessor read(const std::string& text) {
  const Folder folder{.name = "x",
                      .has = [](std::string_view name) { return name == "preprocessor_config.json"; },
                      .open = [&](std::string_view) { return FileBytes::borrow(std::as_bytes(std::span(text))); }};
  return read_preprocessor(folder, 224);
}

TEST(Preprocessor, WhatIsAbsentIsAsPublished) {
  const Preprocessor p = read("{}");
  EXPECT_EQ(p.filter, Filter::bicubic);
  EXPECT_THAT(p.normalization.mean, ElementsAre(0.5f, 0.5f, 0.5f));
  EXPECT_THAT(p.normalization.std, ElementsAre(0.5f, 0.5f, 0.5f));
}

TEST(Preprocessor, ReadsItsFields) {
  const Preprocessor p = read(
      R"({"size": {"height": 224, "width": 224}, "resample": 2, "rescale_factor": 0.5, "image_mean": [1, 2, 3],
          "image_std": 4})");
  EXPECT_EQ(p.filter, Filter::bilinear);
  EXPECT_EQ(p.normalization.rescale, 0.5);
  EXPECT_THAT(p.normalization.mean, ElementsAre(1.0f, 2.0f, 3.0f));
  EXPECT_THAT(p.normalization.std, ElementsAre(4.0f, 4.0f, 4.0f));
  EXPECT_EQ(read(R"({"do_rescale": false})").normalization.rescale, 1);
  EXPECT_THAT(read(R"({"do_normalize": false, "image_mean": 7})").normalization.mean, ElementsAre(0.0f, 0.0f, 0.0f));
}

TEST(Preprocessor, RefusesWhatItCannotHonour) {
  for (const char* text :
       {"[]", R"({"size": 448})", R"({"size": {"height": 224, "width": 448}})", R"({"size": "224"})",
        R"({"do_resize": false})", R"({"do_resize": 1})", R"({"resample": 6})", R"({"resample": -1})",
        R"({"resample": 2.0})", R"({"image_mean": [1, 2]})", R"({"image_mean": "a"})", R"({"image_mean": [1, 2, {}]})",
        R"({"image_mean": [1, 2, 1e39]})", R"({"image_std": [1, 0, 1]})", R"({"image_std": -1e300})",
        R"({"rescale_factor": [1]})", R"({"rescale_factor": 1e300})"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::model, "preprocessor", "x/preprocessor_config.json", [&] { read(text); });
  }
}

}  // namespace
}  // namespace paligemma
