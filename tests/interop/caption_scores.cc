// For captions.py: reads JSON Lines {"prediction": text, "references": [texts]} and writes words and scores as JSON.
#include "eval/caption_scores.h"

#include <iostream>
#include <string>

#include "eval/ptb_tokenizer.h"
#include "io/json.h"

int main() {
  using namespace paligemma;
  std::vector<std::string> predictions, references;
  std::vector<std::size_t> counts;
  for (std::string line; std::getline(std::cin, line);) {
    const Json json = parse_json(line, "stdin", ErrorKind::usage);
    predictions.push_back(json["prediction"]);
    for (const std::string reference : json["references"]) references.push_back(reference);
    counts.push_back(json["references"].size());
  }
  const std::vector<Words> predicted = caption_words(predictions), expected = caption_words(references);
  std::vector<CaptionWords> captions;
  std::size_t at = 0;
  for (std::size_t i = 0; i < counts.size(); at += counts[i++])
    captions.push_back(
        {.prediction = predicted[i],
         .references = {expected.begin() + std::ptrdiff_t(at), expected.begin() + std::ptrdiff_t(at + counts[i])}});
  const Bleu bleus = bleu(captions);
  Json out = {{"predictions", predicted},
              {"references", expected},
              {"cider", cider(captions)},
              {"bleu", bleus.all},
              {"bleu_each", bleus.each}};
  for (const CaptionWords& caption : captions) out["rouge"].push_back(rouge_l(caption));
  std::cout << dump_json(out) << '\n';
}
