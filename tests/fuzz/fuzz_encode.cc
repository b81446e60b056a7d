// seeds: tokenizer/small_ids.jsonl
//
// The first byte of the input chooses how specials are read, the rest is text. For valid text without U+2581, decoding
// gives it back.
#include <array>
#include <cstdio>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace {

// A vocabulary in the form of tokenizer.json whose merges overlap: `<b>`, runs of spaces and newlines, and what "a",
// "b" and spaces make.
paligemma::Tokenizer small_tokenizer() {
  std::string vocab = R"("<pad>":0,"<eos>":1,"<bos>":2,"<unk>":3)";
  int id = 4;
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 32> entry{};
    std::snprintf(entry.data(), entry.size(), R"(,"<0x%02X>":%d)", static_cast<unsigned>(byte), id++);
    vocab += entry.data();
  }
  for (const char* text : {"a", "b", "aa", "ab", "aba", "▁", "▁a", "▁▁", "▁▁▁", "\\n", "\\n\\n", "<b>"}) {
    vocab += paligemma::join(",\"", text, "\":", id++);
  }
  std::string added;
  for (int fixed = id - 5; fixed < id; ++fixed) {
    constexpr std::array kNames = {"▁▁", "▁▁▁", "\\n", "\\n\\n", "<b>"};
    added +=
        paligemma::join(added.empty() ? "" : ",", R"({"id":)", fixed, R"(,"content":")", kNames[fixed - id + 5], "\"}");
  }
  return paligemma::Tokenizer::from_json(
      paligemma::join(
          R"({"added_tokens":[)", added, R"(],"normalizer":{"type":"Replace","pattern":{"String":" "},)",
          R"("content":"▁"},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":)",
          R"({"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]},"model":{"type":"BPE",)",
          R"("byte_fallback":true,"vocab":{)", vocab, R"(},"merges":["a a","▁ a","a b","ab a","a ba"]}})"),
      "built in", 1000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  static const Tokenizer tokenizer = small_tokenizer();
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto ids = tokenizer.encode(text, data[0] % 2 ? Specials::tokens : Specials::text);
  const bool reversible = is_utf8(text) && text.find("▁") == text.npos;
  if (reversible && tokenizer.decode(ids, true) != text) __builtin_trap();
  return 0;
}
