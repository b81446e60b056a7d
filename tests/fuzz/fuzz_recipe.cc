// seed: steps = 3\nlr = 1e-5\nfreeze = ["a\\\\.b"]\nmode = "full"\nshuffle = false
//
// A recipe that is read is the same when it is written and read again.
#include "base/error.h"
#include "train/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  try {
    const std::string text = write_recipe(read_recipe({reinterpret_cast<const char*>(data), size}, "input"));
    if (write_recipe(read_recipe(text, "again")) != text) __builtin_trap();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
  return 0;
}
