#include "data/pickle.h"
#include "support/golden.h"
#include "support/mutations.h"

namespace paligemma::test {
namespace {

TEST(Pickle, SurvivesDamage) {
  const auto read = [](std::span<const std::byte> bytes) { return parse_pickle(bytes, "a.p", ErrorKind::usage); };
  for (const char* name : {"protocol0.pickle", "protocol4.pickle"})
    expect_survives(file_content(golden(std::string("data/pickles/") + name).string()), ErrorKind::usage, read,
                    {.memory = 8 << 20, .memory_for_a_byte = 256});
}

}  // namespace
}  // namespace paligemma::test
