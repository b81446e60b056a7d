// seeds: tokenizer/small.json
#include "json_mutator.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(input, "input", 1 << 20);
    constexpr std::string_view kText = "abab  aaa<b>\n\n<loc0001><bos>\xed\x95\x9c <image>";
    if (tokenizer.decode(tokenizer.encode(kText, Specials::tokens), true).empty()) __builtin_trap();
    json_mutator::take(data, size);
  } catch (const Error&) {
  }
  return 0;
}
