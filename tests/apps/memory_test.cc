// The program where memory runs out: whatever the limit, it ends with an answer, or with a message, an exit code that
// says why, and no file. Not under sanitizers, which reserve more than any limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "program.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Bytes of address space that this process has.
rlim_t address_space() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

// Runs the program in a copy of this process that may have `more` bytes beyond what it has. Gives the exit code, or 128
// and the signal that ended it; stdout and stderr are files of `scratch`.
int run_within(rlim_t more, const std::vector<std::string>& words, const Scratch& scratch) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool streams = std::freopen(scratch.path("stdout").c_str(), "w", stdout) != nullptr &&
                         std::freopen(scratch.path("stderr").c_str(), "w", stderr) != nullptr;
    const rlimit limit{address_space() + more, RLIM_INFINITY};
    if (!streams || ::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(126);
    const int code = paligemma::run_program(words);
    std::fflush(nullptr);
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Memory, WhereverItRunsOutTheProgramSaysSo) {
  const std::string beach = std::string(POCKET_DIR) + "/pictures/beach.png";
  const Scratch pictures;
  const std::string large = pictures.write("large.ppm", "P6 3000 2000 255 " + std::string(3 * 3000 * 2000, 'x'));
  const std::vector<std::vector<std::string>> commands = {
      {"caption", beach, "--threads", "4"}, {"caption", large}, {"detect", "cow", beach, "-o", "drawn.svg"}};
  for (const std::vector<std::string>& words : commands) {
    SCOPED_TRACE(words[0]);
    int code = -1;
    int refused = 0;
    for (rlim_t more = 1 << 18; code != 0; more += more / 4) {
      const Scratch scratch;
      std::vector<std::string> here = words;
      if (words.back() == "drawn.svg") here.back() = scratch.path("drawn.svg");
      code = run_within(more, here, scratch);
      SCOPED_TRACE(std::to_string(more) + " bytes more: " + scratch.read("stderr"));
      ASSERT_LT(more, rlim_t{1} << 32);
      ASSERT_THAT(code, AnyOf(0, 5));
      if (code == 0) break;
      ++refused;
      EXPECT_THAT(scratch.read("stderr"), AnyOf(HasSubstr("memory"), HasSubstr("thread")));
      EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.folder()), {}), 2);
    }
    EXPECT_GT(refused, 3);
  }
}

}  // namespace
}  // namespace paligemma::test
