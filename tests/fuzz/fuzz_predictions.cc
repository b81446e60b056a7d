// seed: {"id":"1","prediction":"a
// cow","objects":[{"label":"cow","box":[1,2,3,4],"score":0.5,"mask":{"size":[3,2],"counts":"123"}}]}
//
// Predictions that are read are the same when they are written and read again.
#include "base/error.h"
#include "eval/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  try {
    std::string text;
    for (const Prediction& one : read_predictions({reinterpret_cast<const char*>(data), size}, "input"))
      text += prediction_line(one);
    std::string again;
    for (const Prediction& one : read_predictions(text, "again")) again += prediction_line(one);
    if (again != text) __builtin_trap();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
  return 0;
}
