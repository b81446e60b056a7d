// What the stages of an answer have to do at least, counted from the sizes of a model.
#pragma once

#include "model/config.h"
#include "model/load.h"

namespace paligemma {

struct Work {
  double gflop = 0;  // of products; a multiply-add counts as two
  double gb = 0;     // of weights, read once, and of the keys and values of other rows
};

// What the matrices of a network take: those of the vision tower with the projector, and those of the decoder with the
// head.
struct MatrixBytes {
  double vision = 0, decoder = 0;
};
MatrixBytes matrix_bytes(Network& network, const Config& config);

// Of `batch` pictures.
Work vision_work(const Config& config, const MatrixBytes& bytes, int batch);
// Of `batch` prompts of `rows` tokens that all see each other, and one position's logits each. All blocks for all rows.
Work prefill_work(const Config& config, const MatrixBytes& bytes, int batch, double rows);
// Of the next token of `batch` sequences that have `positions` tokens, itself included, in a cache of `cache_bytes` an
// element.
Work decode_work(const Config& config, const MatrixBytes& bytes, int batch, double positions, double cache_bytes);

}  // namespace paligemma
