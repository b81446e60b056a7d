// seeds: pictures/variants/*
#include <paligemma/paligemma.h>

#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const paligemma::Picture picture =
        paligemma::decode_picture(std::as_bytes(std::span(data, size)), {.max_pixels = 1 << 20});
    if (picture.rgb.size() != std::size_t{3} * picture.width * picture.height) __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
