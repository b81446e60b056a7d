// seeds: tokenizer/small.model
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  try {
    const Tokenizer tokenizer = Tokenizer::from_sentencepiece(std::as_bytes(std::span(data, size)), "input", 1 << 20);
    constexpr std::string_view kText = "abab  aaa<b>\n\n<loc0001><bos>\xed\x95\x9c <image>";
    if (tokenizer.decode(tokenizer.encode(kText, Specials::tokens), true).empty()) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
