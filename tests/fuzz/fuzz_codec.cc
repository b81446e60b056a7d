// seeds: codec/tiny.safetensors codec/tiny_both.safetensors io/*.npz
#include "detect/mask_codec.h"
#include "json_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto backend = paligemma::make_cpu_backend({.threads = 1});
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto codec = paligemma::MaskCodec::read(paligemma::FileBytes::borrow(bytes), "input", *backend);
    std::array<int, 16> codes{0, 1, 2, 3, 4, 5, 6, 7, 120, 121, 122, 123, 124, 125, 126, 127};
    if (codec.decode(codes).size() != 64 * 64) __builtin_trap();
    if (codec.has_encoder())
      for (const int code : codec.encode(paligemma::Mask{.width = 1, .height = 1, .inside = {1}}, {0, 0, 2, 2}))
        if (code < 0 || code >= codec.codes()) __builtin_trap();
    json_mutator::take(data, size);
    codes[15] = codec.codes();
    try {
      codec.decode(codes);
    } catch (const paligemma::Error&) {
      return 0;
    }
    __builtin_trap();
  } catch (const paligemma::Error& error) {
    if (error.code() != "codec") __builtin_trap();
  }
  return 0;
}
