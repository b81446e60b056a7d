// seeds: pictures/variants/*
#include <paligemma/paligemma.h>

#include <span>

#include "image/png_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  if (paligemma::source_of(file).size() > size) __builtin_trap();
  try {
    const paligemma::Picture picture = paligemma::decode_picture(file, {.max_pixels = 1 << 20});
    if (picture.rgb.size() != std::size_t{3} * picture.width * picture.height) __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
