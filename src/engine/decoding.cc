#include "engine/decoding.h"

#include "base/error.h"

namespace paligemma {
namespace {

template <class T>
void check(const char* what, T value, Limits<T> limits) {
  if (!(value >= limits.low && value <= limits.high))  // so that NaN is refused
    fail(ErrorKind::usage, "decoding", "cannot decode: ", what, ": expected ", limits.low, " to ", limits.high,
         ", got ", value);
}

}  // namespace

void check_decoding(const Sampling& sampling, const Beams& beams) {
  check("temperature", sampling.temperature, kTemperature);
  check<std::int64_t>("top-k", sampling.top_k, kTopK);
  check("top-p", sampling.top_p, kTopP);
  check("min-p", sampling.min_p, kMinP);
  check("repetition penalty", sampling.repetition_penalty, kRepetitionPenalty);
  check<std::int64_t>("beams", beams.count, kBeams);
  check("length penalty", beams.length_penalty, kLengthPenalty);
  const bool greedy = sampling.temperature == 0 && sampling.top_k == 0 && sampling.top_p == 1 && sampling.min_p == 0 &&
                      sampling.repetition_penalty == 1;
  if (beams.count > 1 && !greedy)
    fail(ErrorKind::usage, "decoding", "cannot decode: ", beams.count,
         " beams: expected no temperature, top-k, top-p, min-p or repetition penalty beside them");
  if (beams.score == BeamScore::sum && beams.length_penalty != 1)
    fail(ErrorKind::usage, "decoding", "cannot decode: length penalty ", beams.length_penalty,
         ": expected none with the beam score sum. Try: the beam score mean");
}

}  // namespace paligemma
