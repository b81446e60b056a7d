// seeds: codec/tiny_both.safetensors tiny/*.safetensors
//
// Whatever a run goes on from, its steps are whole numbers.
#include "json_mutator.h"
#include "train/codec_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  static const auto backend = make_cpu_backend({.threads = 1});
  static const CodecFile arrays = make_codec_file({.codes = 128, .width = 1, .channels = 8}, 1);
  static CodecTrainer trainer(arrays, "new", *backend, 2);
  try {
    const std::int64_t steps =
        read_codec_state(trainer, FileBytes::borrow(std::as_bytes(std::span(data, size))), "input");
    if (steps < 0 || trainer.steps().encoder < 0 || trainer.steps().decoder < 0) __builtin_trap();
    json_mutator::take(data, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::model) __builtin_trap();
  }
  return 0;
}
