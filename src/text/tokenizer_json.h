// Reads tokenizer.json: a tokenizer of Hugging Face's tokenizers library.
//
// Only what PaliGemma's file uses is accepted: BPE with byte fallback over a text whose spaces became U+2581. Every
// other model, normalizer, pre-tokenizer or decoder is refused, since it would give other ids or another text.
#pragma once

#include <string_view>

#include "text/vocabulary.h"

namespace paligemma {

// Throws Error{model, "tokenizer"}, or Error{model, "json"} for text that is not JSON.
Vocabulary read_tokenizer_json(std::string_view text, std::string_view where);

}  // namespace paligemma
