#include "text/sentencepiece_model.h"

#include <limits>
#include <string>

#include "golden.h"

namespace paligemma {
namespace {

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

std::string number(int field, std::uint64_t value) { return varint(static_cast<unsigned>(field) << 3) + varint(value); }
std::string bytes(int field, std::string_view value) {
  return varint(static_cast<unsigned>(field) << 3 | 2) + varint(value.size()) + std::string(value);
}
std::string real(int field, float value) {
  std::string result = varint(static_cast<unsigned>(field) << 3 | 5);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int i = 0; i < 4; ++i) result += static_cast<char>(bits >> 8 * i);
  return result;
}
// Parts that may be appended to any model: protobuf takes them as further pieces and as overrides.
std::string piece(std::string_view text, int type) { return bytes(1, bytes(1, text) + number(3, type)); }
std::string trainer(const std::string& fields) { return bytes(2, fields); }
std::string normalizer(const std::string& fields) { return bytes(3, fields); }

void expect_refused(const std::string& file, std::string_view part) {
  expect_error(ErrorKind::model, "tokenizer", part, [&] { model_tokenizer(file); });
  expect_error(ErrorKind::model, "tokenizer", "x.model", [&] { model_tokenizer(file); });
}

TEST(SentencepieceModel, RefusesWhatWouldGiveOtherIds) {
  const std::string small = golden_file("small.model");
  expect_refused(small + trainer(number(3, 1)), "type BPE (2), got type 1");
  expect_refused(small + trainer(number(35, 0)), "byte_fallback");
  expect_refused(small + normalizer(bytes(2, "abc")), "character map, got one of 3 bytes");
  expect_refused(small + normalizer(number(3, 1)), "add_dummy_prefix");
  expect_refused(small + normalizer(number(4, 1)), "remove_extra_whitespaces");
  expect_refused(small + normalizer(number(5, 0)), "escape_whitespaces");
  expect_refused(small + piece("xyz", 5), "expected type 1, 2, 3, 4 or 6, got 5");
}

TEST(SentencepieceModel, RefusesPiecesThatCannotBe) {
  const std::string small = golden_file("small.model");
  expect_refused(small + piece("", 1), "got 0 bytes");
  expect_refused(small + piece(std::string(1025, 'a'), 1), "got 1025 bytes");
  expect_refused(small + piece("\xff", 1), "UTF-8");
  expect_refused(small + piece("aa", 4), "expected distinct pieces, got \"aa\" as 266 and as 278");
  expect_refused(small + piece("<0xGG>", 6), "<0x00> to <0xFF>");
  expect_refused(small + piece("<loc0000>", 4), "1024 pieces <loc...> in a row or none, got <loc0001> as -1");
  expect_refused(small + bytes(1, bytes(1, "z") + real(2, std::numeric_limits<float>::quiet_NaN())), "finite");
}

TEST(SentencepieceModel, AGapInTheRowOfLocTokensIsRefused) {
  std::string file = golden_file("small.model");
  for (int i = 0; i < 1024; ++i) {
    if (i == 512) file += piece("between", 1);
    std::string digits = std::to_string(i);
    digits.insert(0, 4 - digits.size(), '0');
    file += piece("<loc" + digits + ">", 4);
  }
  expect_refused(file, "<loc0512> as 791");
}

TEST(SentencepieceModel, PiecesAfterTheOthersAreFound) {
  const Tokenizer tokenizer = model_tokenizer(golden_file("small.model") + piece("d", 1) + piece("<i>", 4));
  EXPECT_EQ(tokenizer.encode("d<i>", Specials::text), (Ids{278, 279}));
}

TEST(SentencepieceModel, LocTokensAreFoundWholeWhateverTheirType) {
  std::string file = golden_file("small.model");
  for (int i = 0; i < 1024; ++i) {
    std::string digits = std::to_string(i);
    digits.insert(0, 4 - digits.size(), '0');
    file += piece("<loc" + digits + ">", 1);
  }
  EXPECT_EQ(model_tokenizer(file).encode("<loc0003>", Specials::text), Ids{278 + 3});
}

TEST(SentencepieceModel, RefusesDamage) {
  const std::string small = golden_file("small.model");
  expect_refused("", "type BPE");
  expect_refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "truncated");
  expect_refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more than 10 bytes");
  expect_refused("{\"version\"", "not a sentencepiece model");
  expect_refused(small + bytes(1, std::string("\x0a\x7f", 2)), "a field of 127 bytes with 0 left");
  for (std::size_t size = 0; size < small.size(); ++size) {  // each beginning is refused, none is read past
    const std::string begin = small.substr(0, size);
    try {
      model_tokenizer(begin);
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::model);
    }
  }
}

}  // namespace
}  // namespace paligemma
