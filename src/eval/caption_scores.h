// Captions against reference captions, as coco-caption (pycocoevalcap) scores them: CIDEr-D
// (https://arxiv.org/abs/1411.5726), BLEU (https://aclanthology.org/P02-1040) and ROUGE-L
// (https://aclanthology.org/W04-1013).
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

namespace paligemma {

using Words = std::vector<std::string>;

// Of one picture, as words of eval/ptb_tokenizer.h.
struct CaptionWords {
  Words prediction{};
  std::vector<Words> references{};  // at least one
};

// CIDEr-D of each caption; the score of all is their mean. How much a word is worth follows from the references of all
// pictures given, so that a part of a data set has other scores. 1.41 is what papers write as 141.
std::vector<double> cider(std::span<const CaptionWords> captions);

// BLEU-1 to -4 of all captions as one text, and of each.
struct Bleu {
  std::array<double, 4> all{};
  std::vector<std::array<double, 4>> each{};
};
Bleu bleu(std::span<const CaptionWords> captions);

// ROUGE-L of one caption; the score of many is the mean.
double rouge_l(const CaptionWords& caption);

}  // namespace paligemma
