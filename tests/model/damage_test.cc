// The index of shards and config.json cut and changed (support/mutations.h), and checkpoints that lie about sizes.
#include <string>

#include "model/checkpoint.h"
#include "model/config.h"
#include "support/golden.h"
#include "support/mutations.h"

namespace paligemma {
namespace {

using test::expect_survives;
using test::file_content;
using test::golden;

using Bytes = std::span<const std::byte>;

// The golden model "pg2" in which `name` has other bytes.
Folder with_file(std::string_view name, Bytes bytes) {
  Folder folder = Folder::on_disk(golden("models/pg2"), ErrorKind::model);
  folder.open = [open = folder.open, name, bytes](std::string_view file) {
    return file == name ? FileBytes::borrow(bytes) : open(file);
  };
  return folder;
}

TEST(DamagedFiles, IndexOfShards) {
  const auto read = [](Bytes bytes) {
    const Checkpoint checkpoint(with_file("model.safetensors.index.json", bytes));
    std::string digest;
    for (const auto& [name, entry] : checkpoint.tensors()) digest += join(name, ' ', entry.tensor.bytes.size(), '\n');
    return digest;
  };
  expect_survives(file_content(golden("models/pg2/model.safetensors.index.json")), ErrorKind::model, read);
}

TEST(DamagedFiles, Config) {
  for (const std::string model : {"pg1", "pg2", "pg2-saved-by-transformers"}) {
    SCOPED_TRACE(model);
    const Checkpoint checkpoint(Folder::on_disk(golden("models/" + model), ErrorKind::model));
    const ShapeLookup shape = checkpoint.source().shape;
    const auto read = [&](Bytes bytes) {
      const Config config = read_config(with_file("config.json", bytes), shape);
      const VisionConfig& v = config.vision;
      const DecoderConfig& d = config.decoder;
      return join(v.width, ' ', v.layers, ' ', v.heads, ' ', v.mlp, ' ', v.patch, ' ', v.grid, ' ', v.eps, ' ',
                  d.gemma2, ' ', d.width, ' ', d.layers, ' ', d.heads, ' ', d.kv_heads, ' ', d.head_size, ' ', d.mlp,
                  ' ', d.vocabulary, ' ', d.tied_head, ' ', d.query_scale, ' ', d.attention_cap, ' ', d.final_cap, ' ',
                  d.rope_theta, ' ', d.eps, ' ', d.max_positions, ' ', config.image_token.value_or(-1), ' ',
                  config.loc_divisor, ' ', config.noise_boxes, ' ',
                  config.score_calibration.value_or(ScoreCalibration()).slope);
    };
    expect_survives(file_content(golden("models/" + model + "/config.json")), ErrorKind::model, read,
                    {.changed = 4000});
  }
}

}  // namespace
}  // namespace paligemma
