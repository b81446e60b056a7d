// seed: {"weight_map": {"lm_head.weight": "model-1.safetensors"}}
//
// The input is the index of a Hugging Face folder whose shards all hold the same tensor.
#include "json_mutator.h"
#include "model/checkpoint.h"

namespace {

constexpr std::string_view kShard(
    "\x48\0\0\0\0\0\0\0{\"lm_head.weight\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}    xx", 82);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const auto input = std::as_bytes(std::span(data, size));
  const Folder folder{
      .name = "input",
      .has = [](std::string_view) { return true; },
      .open =
          [&](std::string_view name) {
            if (name.find('/') != name.npos) __builtin_trap();  // never out of the folder
            return FileBytes::borrow(name.ends_with(".json") ? input : std::as_bytes(std::span(kShard)));
          }};
  try {
    const Checkpoint checkpoint(folder);
    if (checkpoint.tensors().size() > 1) __builtin_trap();
    json_mutator::take(data, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::model) __builtin_trap();
  }
  return 0;
}
