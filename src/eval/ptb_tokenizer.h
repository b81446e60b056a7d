// Words of English text as the Penn Treebank has them: what Stanford CoreNLP 3.4.1's PTBTokenizer makes of it with
// -preserveLines -lowerCase, and what coco-caption leaves of that. Captions are scored on these words.
//
// Letters that are younger than Unicode 6 are letters here; the original drops them.
//
//     It's a co-ed's dog... 3 1/2" long (U.S. made)
//     it | 's | a | co-ed | 's | dog | ... | 3 1/2 | '' | long | -lrb- | u.s. | made | -rrb-
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// The words of each text, small letters, quotes as `` and '', brackets as -lrb- and so on. The texts are read as lines
// of one document: what follows a full stop may stand in the next line. A line end inside a text counts as a space. A
// word may have a no-break space in it ("3 1/2").
std::vector<std::vector<std::string>> ptb_words(std::span<const std::string> texts);

// The same without punctuation, as coco-caption removes it.
std::vector<std::vector<std::string>> caption_words(std::span<const std::string> texts);

}  // namespace paligemma
