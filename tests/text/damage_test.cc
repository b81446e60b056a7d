// Both readers of tokenizers with their files cut and changed (support/mutations.h).
#include <string>

#include "support/mutations.h"
#include "text/tokenizer.h"

namespace paligemma {
namespace {

using test::expect_survives;
using test::file_content;

using Bytes = std::span<const std::byte>;

std::string digest(const Tokenizer& tokenizer) {
  std::string result = join(tokenizer.size(), ' ', tokenizer.bos(), ' ', tokenizer.eos(), ' ', tokenizer.newline());
  for (int id = 0; id < tokenizer.size(); ++id) result += join(' ', tokenizer.piece(id));
  const auto ids = tokenizer.encode("detect  two cows ; <loc0012> é \U0001F600\n<eos>", Specials::tokens);
  for (const auto id : ids) result += join(' ', id);
  return result + tokenizer.decode(ids, true);
}

TEST(DamagedFiles, TokenizerModel) {
  expect_survives(file_content(GOLDEN_DIR "/models/pg2/tokenizer.model"), ErrorKind::model,
                  [](Bytes bytes) { return digest(Tokenizer::from_sentencepiece(bytes, "x")); }, {.changed = 128});
}

TEST(DamagedFiles, TokenizerJson) {
  expect_survives(
      file_content(GOLDEN_DIR "/models/pg2/tokenizer.json"), ErrorKind::model,
      [](Bytes bytes) {
        return digest(Tokenizer::from_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "x"));
      },
      {.changed = 64});
}

}  // namespace
}  // namespace paligemma
