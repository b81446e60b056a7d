// Reads tokenizer.model: sentencepiece's ModelProto in protobuf's wire format.
//
// Only what PaliGemma's file uses is accepted: a BPE model with byte fallback, spaces escaped as U+2581, and no other
// normalisation. Everything else is refused, since it would give other ids.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "text/vocabulary.h"

namespace paligemma {

// Throws Error{model, "tokenizer"}.
Vocabulary read_sentencepiece(std::span<const std::byte> file, std::string_view where);

}  // namespace paligemma
