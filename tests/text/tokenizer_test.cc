#include "text/tokenizer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "golden.h"

namespace paligemma {
namespace {

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string text_of(const Json& line) {
  return line.contains("text") ? line["text"].get<std::string>() : unhex(line["bytes_hex"].get<std::string>());
}

bool has_special(std::string_view text) {
  const auto in_text = [&](std::string_view name) { return text.find(name) != text.npos; };
  return in_text("<pad>") || in_text("<eos>") || in_text("<bos>") || in_text("<unk>") || in_text("<image>");
}

TEST(Tokenizer, AsTextGivesTheIdsOfSentencepiece) {
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    for (const Json& line : golden_lines("ids.jsonl")) {
      EXPECT_EQ(tokenizer.encode(text_of(line), Specials::text), line["sp_ids"].get<Ids>()) << line["name"];
    }
  }
}

TEST(Tokenizer, AsTokensGivesTheIdsOfHuggingFaceWhereSpecialTokensAreSpelled) {
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    int spelled = 0;
    for (const Json& line : golden_lines("ids.jsonl")) {
      const std::string text = text_of(line);
      spelled += has_special(text);
      const Ids expected = line[has_special(text) ? "hf_ids" : "sp_ids"].get<Ids>();
      EXPECT_EQ(tokenizer.encode(text, Specials::tokens), expected) << line["name"];
    }
    EXPECT_GE(spelled, 11);
  }
}

TEST(Tokenizer, WhereBothReferencesAgreeSoDoesEveryMode) {
  int agreed = 0;
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    for (const Json& line : golden_lines("ids.jsonl")) {
      if (!line.value("agree", false)) continue;
      ++agreed;
      EXPECT_EQ(tokenizer.encode(text_of(line), Specials::tokens), line["hf_ids"].get<Ids>()) << line["name"];
    }
  }
  EXPECT_EQ(agreed, 2 * 222);
}

// small.model, small.json: a vocabulary in which merges overlap. ids by sentencepiece 0.2.3 and tokenizers 0.23.3.
TEST(Tokenizer, MergesInTheOrderOfSentencepiece) {
  for (const Tokenizer& tokenizer :
       {model_tokenizer(golden_file("small.model")), json_tokenizer(golden_file("small.json"))}) {
    for (const Json& line : golden_lines("small_ids.jsonl")) {
      EXPECT_EQ(tokenizer.encode(text_of(line), Specials::text), line["sp_ids"].get<Ids>()) << line["text"];
    }
    EXPECT_EQ(tokenizer.loc_begin(), std::nullopt);
    EXPECT_EQ(tokenizer.seg_begin(), std::nullopt);
    EXPECT_FALSE(tokenizer.is_loc(5));
  }
}

// A tokenizer that lists one pair for most of its pieces and has no sentencepiece file. ids by
// tokenizers 0.23.3; answers are those of transformers 5.23 in pocket-prototype.
TEST(Tokenizer, MergesOnlyTheListedPairs) {
  const Tokenizer tokenizer = json_tokenizer(golden_file("pocket.json"));
  for (const Json& line : golden_lines("pocket_ids.jsonl")) {
    if (line.contains("text")) {
      EXPECT_EQ(tokenizer.encode(text_of(line), Specials::tokens), line["ids"].get<Ids>()) << line["text"];
    } else {
      EXPECT_EQ(tokenizer.decode(line["ids"].get<Ids>(), false), line["answer"].get<std::string>());
    }
  }
  EXPECT_EQ(tokenizer.size(), 2297);
  EXPECT_EQ(tokenizer.real_size(), 2296);
  EXPECT_EQ(tokenizer.image(), 2296);
  EXPECT_EQ(tokenizer.newline(), 4);
}

TEST(Tokenizer, DecodesAsTransformers) {
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    for (const char* file : {"ids.jsonl", "decode.jsonl"}) {
      for (const Json& line : golden_lines(file)) {
        if (!line.contains("hf_decoded")) continue;
        const Ids ids = line[line.contains("ids") ? "ids" : "hf_ids"].get<Ids>();
        EXPECT_EQ(tokenizer.decode(ids, true), line["hf_decoded"].get<std::string>());
        EXPECT_EQ(tokenizer.decode(ids, false), line["hf_decoded_skip_special"].get<std::string>());
      }
    }
    for (const Json& line : golden_lines("answers.jsonl")) {
      EXPECT_EQ(tokenizer.decode(line["ids"].get<Ids>(), true), line["text_with_special"].get<std::string>());
      EXPECT_EQ(tokenizer.decode(line["ids"].get<Ids>(), false), line["text"].get<std::string>());
    }
  }
}

TEST(Tokenizer, IdsWithoutAPieceDecodeToNothing) {
  const Tokenizer tokenizer = both_tokenizers().front();
  EXPECT_EQ(tokenizer.decode(Ids{-1, 2310, 2311, 1 << 30}, true), "<image>");
  EXPECT_EQ(tokenizer.decode(Ids{-1, 2310, 2311, 1 << 30}, false), "");
  EXPECT_EQ(tokenizer.decode(Ids{289, 5000, 263}, false), "\xc3\xa9") << "the bytes of é, as one run";
  EXPECT_EQ(tokenizer.piece(5000), "");
  EXPECT_EQ(tokenizer.piece(-5), "");
}

TEST(Tokenizer, KnowsTheLandmarks) {  // golden/tokenizer/case.json of the references
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    EXPECT_EQ(tokenizer.pad(), 0);
    EXPECT_EQ(tokenizer.eos(), 1);
    EXPECT_EQ(tokenizer.bos(), 2);
    EXPECT_EQ(tokenizer.unk(), 3);
    EXPECT_EQ(tokenizer.newline(), 19);
    EXPECT_EQ(tokenizer.image(), 2310);
    EXPECT_EQ(tokenizer.loc_begin(), 1158);
    EXPECT_EQ(tokenizer.seg_begin(), 2182);
    EXPECT_EQ(tokenizer.size(), 2311);
    EXPECT_EQ(tokenizer.real_size(), 2310);
    EXPECT_EQ(tokenizer.piece(1158 + 256), "<loc0256>");
    EXPECT_EQ(tokenizer.piece(2310), "<image>");
    EXPECT_EQ(tokenizer.is_loc(1157), false);
    EXPECT_EQ(tokenizer.is_loc(1158), true);
    EXPECT_EQ(tokenizer.is_loc(2181), true);
    EXPECT_EQ(tokenizer.is_loc(2182), false);
    EXPECT_EQ(tokenizer.is_seg(2181), false);
    EXPECT_EQ(tokenizer.is_seg(2182), true);
    EXPECT_EQ(tokenizer.is_seg(2309), true);
    EXPECT_EQ(tokenizer.is_seg(2310), false);
  }
}

TEST(Tokenizer, TheImageTokenComesFromTheFileElseFromTheConfiguration) {
  const std::string model = golden_file("tokenizer.model");
  EXPECT_EQ(model_tokenizer(model).image(), std::nullopt);
  EXPECT_EQ(model_tokenizer(model).size(), 2310);
  const Tokenizer padded = model_tokenizer(model, 2400);
  EXPECT_EQ(padded.image(), 2400);
  EXPECT_EQ(padded.size(), 2401);
  EXPECT_EQ(padded.real_size(), 2310);
  EXPECT_EQ(padded.encode("<image>", Specials::tokens), Ids{2400});
  EXPECT_EQ(json_tokenizer(golden_file("tokenizer.json"), 2400).image(), 2310);
  expect_error(ErrorKind::model, "tokenizer", "got 1158", [&] { model_tokenizer(model, 1158); });
  expect_error(ErrorKind::model, "tokenizer", "got 2147483647", [&] { model_tokenizer(model, 2147483647); });
}

TEST(TextStream, JoinsToWhatDecodeGives) {
  const Tokenizer tokenizer = both_tokenizers().back();
  for (const Json& line : golden_lines("decode.jsonl")) {
    TextStream stream(tokenizer, true);
    std::string text;
    for (const std::int32_t id : line["ids"].get<Ids>()) text += stream.push(id);
    text += stream.finish();
    EXPECT_EQ(text, line["hf_decoded"].get<std::string>());
  }
}

TEST(TextStream, GivesATokenAsSoonAsItIsCertain) {
  const Tokenizer tokenizer = both_tokenizers().front();
  TextStream stream(tokenizer, false);
  EXPECT_EQ(stream.push(1158), "<loc0000>");
  EXPECT_EQ(stream.push(289), "");  // the first byte of é
  EXPECT_EQ(stream.push(263), "");  // the second: a byte that follows could still spoil the run
  EXPECT_EQ(stream.push(2), "");
  EXPECT_EQ(stream.push(19), "\xc3\xa9\n");
  EXPECT_EQ(stream.push(289), "");
  EXPECT_EQ(stream.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(stream.finish(), "");
}

// Worst cases for the queue and for the search of fixed pieces: a quadratic step would take minutes.
TEST(Tokenizer, TakesAMegabyteOfAnything) {
  const Tokenizer tokenizer = both_tokenizers().front();
  constexpr std::size_t kSize = 1 << 20;
  for (const std::string_view unit :
       {"a", " ", "\n", "<", "<loc0001", "<loc0001>", "the cat ", "\xff", "\xed\x95\x9c"}) {
    std::string text;
    while (text.size() < kSize) text += unit;
    const Ids ids = tokenizer.encode(text, Specials::tokens);
    if (unit == "\xff") continue;
    EXPECT_EQ(tokenizer.decode(ids, true), text) << unit;
  }
}

}  // namespace
}  // namespace paligemma
