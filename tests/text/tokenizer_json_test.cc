#include "text/tokenizer_json.h"

#include <functional>
#include <string>

#include "golden.h"

namespace paligemma {
namespace {

Json small() { return parse_json(golden_file("small.json"), "small.json", ErrorKind::model); }

Tokenizer read(const Json& file) { return json_tokenizer(dump_json(file)); }

void expect_refused(const std::function<void(Json&)>& change, std::string_view part) {
  Json file = small();
  change(file);
  expect_error(ErrorKind::model, "tokenizer", part, [&] { read(file); });
  expect_error(ErrorKind::model, "tokenizer", "x.json", [&] { read(file); });
}

TEST(TokenizerJson, RefusesWhatWouldGiveOtherIds) {
  expect_refused([](Json& file) { file["model"]["type"] = "Unigram"; }, "expected type \"BPE\", got \"Unigram\"");
  expect_refused([](Json& file) { file["model"]["byte_fallback"] = false; }, "byte_fallback");
  expect_refused([](Json& file) { file["model"]["ignore_merges"] = true; }, "ignore_merges");
  expect_refused([](Json& file) { file["model"]["dropout"] = 0.1; }, "dropout");
  expect_refused([](Json& file) { file["model"]["continuing_subword_prefix"] = "##"; }, "continuing_subword_prefix");
  expect_refused([](Json& file) { file["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix");
  expect_refused([](Json& file) { file["normalizer"] = nullptr; }, "normalizer");
  expect_refused([](Json& file) { file["normalizer"]["type"] = "NFKC"; }, "NFKC");
  expect_refused([](Json& file) { file["pre_tokenizer"] = {{"type", "ByteLevel"}}; }, "ByteLevel");
  expect_refused([](Json& file) { file["pre_tokenizer"]["pattern"] = {{"Regex", "."}}; }, "pre_tokenizer");
  expect_refused([](Json& file) { file["decoder"]["decoders"].push_back({{"type", "Strip"}}); }, "decoder");
  expect_refused([](Json& file) { file["decoder"]["decoders"] = {{"a", 1}, {"b", 2}, {"c", 3}}; }, "decoder");
  expect_refused([](Json& file) { file["added_tokens"][0]["lstrip"] = true; }, "lstrip");
  expect_refused([](Json& file) { file["added_tokens"][0]["rstrip"] = true; }, "rstrip");
  expect_refused([](Json& file) { file["added_tokens"][0]["single_word"] = true; }, "single_word");
  expect_refused([](Json& file) { file["added_tokens"][0]["content"] = "two words"; }, "space");
}

TEST(TokenizerJson, AcceptsWhatDoesNotMatter) {
  Json file = small();
  file["pre_tokenizer"] = nullptr;  // never fires: no space is left
  file["post_processor"] = nullptr;
  file["padding"] = {{"strategy", "BatchLongest"}};
  file["model"]["dropout"] = 0.0;
  file["model"]["end_of_word_suffix"] = "";
  Json merges = Json::array();  // as files before 2024 have them
  for (const Json& merge : file["model"]["merges"]) {
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  file["model"]["merges"] = merges;
  const Tokenizer tokenizer = read(file);
  for (const Json& line : golden_lines("small_ids.jsonl")) {
    EXPECT_EQ(tokenizer.encode(line["text"].get<std::string>(), Specials::text), line["sp_ids"].get<Ids>());
  }
}

TEST(TokenizerJson, RefusesDamage) {
  expect_error(ErrorKind::model, "json", "x.json", [] { json_tokenizer("{"); });
  expect_error(ErrorKind::model, "tokenizer", "model", [] { json_tokenizer("[]"); });
  expect_refused([](Json& file) { file.erase("model"); }, "model");
  expect_refused([](Json& file) { file.erase("added_tokens"); }, "added_tokens");
  expect_refused([](Json& file) { file["model"]["vocab"] = 3; }, "expected an object \"vocab\", got number");
  expect_refused([](Json& file) { file["model"]["vocab"]["a"] = -1; }, "expected an id below");
  expect_refused([](Json& file) { file["model"]["vocab"]["a"] = 1.5; }, "got 1.5");
  expect_refused([](Json& file) { file["model"]["vocab"]["a"] = 1000000000000; }, "got 1000000000000");
  expect_refused([](Json& file) { file["model"]["vocab"]["a"] = 275; }, "id 275: expected one piece");
  expect_refused([](Json& file) { file["model"]["vocab"][""] = 290; }, "got 0 bytes");
  expect_refused([](Json& file) { file["model"]["vocab"].erase("<0x80>"); }, "none for byte 128");
  expect_refused([](Json& file) { file["model"]["vocab"].erase("<bos>"), file["added_tokens"].erase(2); }, "<bos>");
  expect_refused([](Json& file) { file["added_tokens"][0]["id"] = 1; }, "id 1");
  expect_refused([](Json& file) { file["added_tokens"][0] = 7; }, "content");
  expect_refused([](Json& file) { file["model"]["merges"] = nullptr; }, "merges");
  for (const char* merge : {R"(["a", "x"])", R"(["a"])", R"(["", "a"])", R"("a a a")", R"("aa")", "[1, 2]", "0"}) {
    expect_refused([&](Json& file) { file["model"]["merges"][0] = Json::parse(merge); }, "merges");
  }
}

// Published files have ids without a piece, and name one byte by what it stands for.
TEST(TokenizerJson, AcceptsHolesAndATabPiece) {
  Json file = small();
  const int tab = file["model"]["vocab"]["<0x09>"].get<int>();
  file["model"]["vocab"].erase("<0x09>");
  file["model"]["vocab"]["\t"] = tab;
  file["model"]["vocab"]["<"] = 300;
  const Tokenizer tokenizer = read(file);
  EXPECT_EQ(tokenizer.encode("\t<", Specials::text), (Ids{tab, 300}));
  EXPECT_EQ(tokenizer.decode(Ids{tab, 277, 299, 300}, false), "\t<");
  EXPECT_EQ(tokenizer.size(), 301);
}

TEST(TokenizerJson, LocTokensAreFoundWholeWithoutBeingAdded) {
  Json file = small();
  file["added_tokens"].erase(file["added_tokens"].size() - 1);  // <image>
  int id = 278;
  for (int i = 0; i < 1024; ++i) {
    std::string digits = std::to_string(i);
    digits.insert(0, 4 - digits.size(), '0');
    file["model"]["vocab"]["<loc" + digits + ">"] = id++;
  }
  const Tokenizer tokenizer = json_tokenizer(dump_json(file), 1400);
  EXPECT_EQ(tokenizer.encode("a<loc1023>", Specials::text), (Ids{274, 278 + 1023}));
  EXPECT_EQ(tokenizer.loc_begin(), 278);
  EXPECT_EQ(tokenizer.image(), 1400);
}

}  // namespace
}  // namespace paligemma
