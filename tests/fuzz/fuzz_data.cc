// seeds: data/forms/*.json data/forms/*.jsonl
//
// The input is a data set in JSON: lines or a document, of whichever form its keys say.
#include "data_folder.h"
#include "json_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (data_folder::read(data, size, "data")) json_mutator::take(data, size);
  return 0;
}
