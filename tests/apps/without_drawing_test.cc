// A build with PALIGEMMA_DRAW=OFF: what would have to be drawn is refused before anything is loaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(WithoutDrawing, DrawingsAreRefusedBeforeTheModelIsOpened) {
  const test::Scratch scratch;
  for (const std::vector<std::string>& words : {
           std::vector<std::string>{"detect", "cow", test::kBeach, "-m", "no-model", "-o", scratch.path("a.png")},
           {"segment", "cow", test::kBeach, "-m", "no-model", "-o", scratch.path("folder/")},
           {"demo", scratch.path("demo"), "-m", "no-model"},
           {"scenes", "-o", scratch.path("scenes")},
       }) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_program(words), 2);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(),
                AllOf(HasSubstr("a build with drawing"), Not(HasSubstr("no-model"))));
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.folder()));
}

TEST(WithoutDrawing, TheRestWorks) {
  const test::Scratch scratch;
  EXPECT_EQ(run_program({"detect", "cow", test::kBeach, "--format", "voc", "-o", scratch.path("out/")}), 0);
  EXPECT_THAT(scratch.read("out/beach.xml"), HasSubstr("<name>cow</name>"));
}

}  // namespace
}  // namespace paligemma
