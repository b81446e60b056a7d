#include "data/pickle.h"

#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

Json unpickled(std::string_view bytes) {
  return parse_pickle(std::as_bytes(std::span(bytes.data(), bytes.size())), "a.p", ErrorKind::usage);
}

std::string pickle_file(const std::string& name) { return Scratch::bytes_of(golden("data/pickles/" + name)); }

// Written by Python 3.11's pickle.
TEST(Pickle, OfEachProtocolIsTheSameData) {
  const Json expected = golden_json("data/pickles/expected.json");
  for (int protocol = 0; protocol <= 5; ++protocol)
    EXPECT_EQ(unpickled(pickle_file("protocol" + std::to_string(protocol) + ".pickle")), expected) << protocol;
}

TEST(Pickle, OfPython2IsRead) {
  EXPECT_EQ(unpickled("(dp0\nS'caf\\xe9 \\'x\\''\np1\nL5L\ns."), (Json{{"café 'x'", 5}}));
  EXPECT_EQ(unpickled("S'caf\\xc3\\xa9'\n."), "café");
  EXPECT_EQ(unpickled("V\\ud83d\\ude00\xe9\n."), "😀é");
  EXPECT_EQ(unpickled("\x80\x02U\x03"
                      "abc."),
            "abc");
}

TEST(Pickle, ThatImportsOrCallsIsRefused) {
  for (const char* name : {"class.pickle", "call.pickle"})
    expect_error(ErrorKind::usage, "pickle", "expected plain data, got an opcode that imports or calls something",
                 [&] { unpickled(pickle_file(name)); });
}

TEST(Pickle, ThatIsDamagedIsRefused) {
  const auto refused = [](std::string_view bytes, std::string_view part) {
    SCOPED_TRACE(bytes);
    expect_error(ErrorKind::usage, "pickle", part, [&] { unpickled(bytes); });
  };
  refused("", "a.p: byte 0: expected plain data, got the end of the file");
  refused(".", "no value");
  refused("I1\n", "byte 3: expected plain data, got the end of the file");
  refused("I1", "the end of the file");
  refused("Ix\n.", "a line that is no number");
  refused("S'abc\n.", "text with an unknown escape");
  refused("V\\ud83d\n.", "text with an unknown escape");
  refused(
      "X\xff\xff\xff\xff"
      "ab.",
      "the end of the file");
  refused(
      "\x8a\x09"
      "123456789.",
      "a number of more than 64 bits");
  refused("h\x05.", "a place in the memo that holds nothing");
  refused("I1\na.", "too few values");
  refused("I1\nI2\na.", "values for something that holds none");
  refused("](K\x01K\x02u.", "values for something that holds none");
  refused(
      "(K\x01"
      "d.",
      "a key without a value");
  refused("(}K\x01s.", "too few values");
  refused("t.", "no mark");
  refused("K\x01(0.", "a mark without values");
  refused("}NNs.", "a key that is neither text nor a whole number");
  refused("Q.", "an opcode that imports or calls something");
  refused("~.", "the opcode 126");
}

TEST(Pickle, ThatRefersToItselfIsRefused) {
  expect_error(ErrorKind::usage, "pickle", "nested too deeply", [] {
    unpickled(
        "]q\x01h\x01"
        "a.");
  });
}

// Thirty lists, each of which holds the one before it twice.
TEST(Pickle, ThatGrowsIsRefused) {
  std::string bytes = "]";
  for (int i = 0; i < 30; ++i) bytes += "2\x86";
  expect_error(ErrorKind::usage, "pickle", "more shared values than the file justifies",
               [&] { unpickled(bytes + "."); });
}

}  // namespace
}  // namespace paligemma::test
