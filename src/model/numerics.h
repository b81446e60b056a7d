// Where the two references compute otherwise, as far as the network and the choice of tokens are concerned. The code
// asks these questions and never which of the two is meant.
#pragma once

#include <paligemma/paligemma.h>

#include "base/dtype.h"

namespace paligemma {

struct NumericsProfile {
  // What is computed from parameters alone has their type: the factor of embeddings, and as result_type() says the
  // scaled embedding and the gain 1 + w of RMSNorm.
  bool rounds_to_parameters = false;
  // Keys and values of the decoder are kept in bf16, under f32 too.
  bool bf16_cache = false;
  // The final soft cap also holds for the logits of the prompt: those of the first token and of a forced beginning.
  bool caps_prompt_logits = true;
  // Rows of the embedding beyond the real vocabulary have a share in the softmax.
  bool counts_padding_rows = true;
  // top-p keeps every logit that equals the last one it keeps.
  bool top_p_keeps_ties = false;
  // What BeamScore::automatic is.
  BeamScore beam_score = BeamScore::mean;
};

constexpr NumericsProfile kTransformersNumerics{};
constexpr NumericsProfile kBigVisionNumerics{.rounds_to_parameters = true,
                                             .bf16_cache = true,
                                             .caps_prompt_logits = false,
                                             .counts_padding_rows = false,
                                             .top_p_keeps_ties = true,
                                             .beam_score = BeamScore::sum};

// The type of a result that parameters give elementwise, in big_vision as XLA compiles it: f16 is rounded to, bf16 goes
// on in f32.
constexpr DType result_type(DType parameters) { return parameters == DType::f16 ? DType::f16 : DType::f32; }

}  // namespace paligemma
