#include "bench/work.h"

namespace paligemma {
namespace {

// Weights of the matrices that every row goes through.
double vision_weights(const Config& config) {
  const VisionConfig& v = config.vision;
  const double block = 4.0 * static_cast<double>(v.width * v.width) + 2.0 * static_cast<double>(v.width * v.mlp);
  return static_cast<double>(v.layers) * block +
         static_cast<double>(v.width * (v.patch_values() + config.decoder.width));
}

double decoder_weights(const DecoderConfig& d) {
  const double attention = 2.0 * static_cast<double>(d.width * d.head_size * (d.heads + d.kv_heads));
  return static_cast<double>(d.layers) * (attention + 3.0 * static_cast<double>(d.width * d.mlp));
}

// q k^T and p v, for as many pairs of rows.
double attention_flop(double pairs, std::int64_t heads_width, std::int64_t layers) {
  return 4.0 * pairs * static_cast<double>(heads_width * layers);
}

// `rows` rows in each of `batch` sequences, `pairs` pairs of rows in each, one row of logits.
double decoder_gflop(const DecoderConfig& d, int batch, double rows, double pairs) {
  const double head = 2.0 * static_cast<double>(d.width * d.vocabulary);
  return batch * (2 * rows * decoder_weights(d) + attention_flop(pairs, d.heads * d.head_size, d.layers) + head) / 1e9;
}

}  // namespace

MatrixBytes matrix_bytes(Network& network, const Config& config) {
  MatrixBytes bytes;
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape&, Weight::Form form) {
    if (form != Weight::Form::matrix) return;
    (name.starts_with("language_model.") ? bytes.decoder : bytes.vision) += static_cast<double>(weight.bytes);
  });
  return bytes;
}

Work vision_work(const Config& config, const MatrixBytes& bytes, int batch) {
  const VisionConfig& v = config.vision;
  const auto n = static_cast<double>(v.tokens());
  const double flop = 2 * n * vision_weights(config) + attention_flop(n * n, v.width, v.layers);
  return {batch * flop / 1e9, bytes.vision / 1e9};
}

Work prefill_work(const Config& config, const MatrixBytes& bytes, int batch, double rows) {
  return {decoder_gflop(config.decoder, batch, rows, rows * rows), bytes.decoder / 1e9};
}

Work decode_work(const Config& config, const MatrixBytes& bytes, int batch, double positions, double cache_bytes) {
  const DecoderConfig& d = config.decoder;
  const double cache = 2 * positions * static_cast<double>(d.layers * d.kv_heads * d.head_size) * cache_bytes;
  return {decoder_gflop(d, batch, 1, positions), (bytes.decoder + batch * cache) / 1e9};
}

}  // namespace paligemma
