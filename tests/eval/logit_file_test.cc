#include "eval/logit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;

// Sets $TMPDIR as long as it lives.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& path) {
    if (const char* set = std::getenv("TMPDIR")) before_ = set;
    setenv("TMPDIR", path.c_str(), 1);
  }
  ~TemporaryFolder() { before_.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST(LogitFile, GivesBackRowsInAnyOrderAndLeavesNothing) {
  const test::Scratch scratch;
  const TemporaryFolder here(scratch.folder());
  LogitFile file(3);
  const std::vector<float> one = {1, -2, 3e38f}, two = {4, 5, 6, 7};  // what is beyond the width is not kept
  EXPECT_EQ(file.append(one), 0u);
  EXPECT_EQ(file.append(two), 1u);
  EXPECT_THAT(file.read(1), ElementsAre(4, 5, 6));
  EXPECT_EQ(file.append(one), 2u);
  EXPECT_THAT(file.read(0), ElementsAre(1, -2, 3e38f));
  EXPECT_THAT(file.read(2), ElementsAre(1, -2, 3e38f));
  EXPECT_THROW(file.read(3), Error);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.folder()));
}

TEST(LogitFile, SaysWhereThereIsNoPlace) {
  const test::Scratch scratch;
  const TemporaryFolder nowhere(scratch.path("none"));
  expect_error(ErrorKind::failure, "write_failed", scratch.path("none"), [] { LogitFile file(3); });
}

}  // namespace
}  // namespace paligemma
