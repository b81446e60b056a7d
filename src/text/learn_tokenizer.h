// A tokenizer for a model that begins from nothing: byte pairs learned from the texts that it is to read and write
// (Sennrich et al. 2016), in the form of a published tokenizer.json.
#pragma once

#include <span>
#include <string>

namespace paligemma {

// A tokenizer.json of `size` pieces, or fewer where the texts have no more to merge: `<pad>`, `<eos>`, `<bos>`,
// `<unk>`,
// `<unused0>`, 256 bytes, characters, what is learned, 1,024 loc tokens, 128 seg tokens and `<image>`, in this order.
// Words are runs of letters with the space before them. Capitals, digits and what stands in angle brackets stay apart:
// what is written in a picture is spelled. The pair that is most frequent is merged first, of equal ones the one that
// comes first in the alphabet. Throws Error{usage, "vocabulary"} for a size without room for the characters.
std::string learn_tokenizer(std::span<const std::string> texts, int size);

}  // namespace paligemma
