// seeds: models/*/config.json keras/*/config.json npz/*/config.json
//
// The input is a config.json, read as transformers', as KerasHub's and as what lies beside a big_vision file, each with
// the tensors of a golden model. What is accepted agrees with the tensors.
#include "json_mutator.h"
#include "model/foreign_config.h"
#include "model/model_files.h"

namespace {

using namespace paligemma;

void expect_same_sizes(const Config& a, const Config& b) {
  if (a.decoder.width != b.decoder.width || a.decoder.layers != b.decoder.layers || a.decoder.mlp != b.decoder.mlp ||
      a.decoder.vocabulary != b.decoder.vocabulary || a.vision.width != b.vision.width ||
      a.vision.layers != b.vision.layers || a.vision.grid != b.vision.grid || a.vision.patch != b.vision.patch)
    __builtin_trap();
  if (a.decoder.heads * a.decoder.head_size != b.decoder.heads * b.decoder.head_size) __builtin_trap();
}

// `read` gives the sizes of `golden`, or refuses, as one refuses a model, and that is false.
template <class Read>
bool expect_agreement(const Config& golden, const Read& read) {
  try {
    expect_same_sizes(read(), golden);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::model) __builtin_trap();
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string golden = std::string(GOLDEN_DIR) + "/";
  static const ModelFiles files = open_model_files(std::filesystem::path(golden + "models/pg2"));
  static const ModelFiles npz = open_model_files(std::filesystem::path(golden + "npz/pg2/model.bf16.npz"));
  static const ModelFiles keras = open_model_files(std::filesystem::path(golden + "keras/pg2_bf16"));
  static const LaidOut npz_model = lay_out(big_vision_layout(), npz.arrays);
  static const LaidOut keras_model = lay_out(keras_layout(), keras.arrays);
  Json json;
  try {
    json = parse_json({reinterpret_cast<const char*>(data), size}, "input", ErrorKind::model);
  } catch (const Error&) {
    return 0;
  }
  int taken = expect_agreement(files.config, [&] { return read_config(json, files.source.shape, "input"); });
  taken += expect_agreement(npz.config, [&] { return big_vision_config(npz_model, json, "input"); });
  taken += expect_agreement(keras.config, [&] { return keras_config(keras_model, json, "input"); });
  if (taken > 0) json_mutator::take(data, size);
  return 0;
}
