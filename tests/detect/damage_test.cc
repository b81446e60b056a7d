// The mask codec in both of its forms, cut and changed (support/mutations.h).
#include <string>

#include "golden.h"
#include "support/mutations.h"

namespace paligemma {
namespace {

using test::expect_survives;
using test::file_content;

TEST(DamagedFiles, MaskCodec) {
  const auto read = [](std::span<const std::byte> bytes) { return read_codec(FileBytes::borrow(bytes), "x").codes(); };
  expect_survives(file_content(GOLDEN_DIR "/codec/tiny.safetensors"), ErrorKind::model, read, {.changed = 1024});
  expect_survives(file_content(GOLDEN_DIR "/codec/vae_small.npz"), ErrorKind::model, read, {.changed = 64});
}

}  // namespace
}  // namespace paligemma
