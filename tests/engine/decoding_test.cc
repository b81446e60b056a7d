#include "engine/decoding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/errors.h"

namespace paligemma {
namespace {

TEST(Decoding, LimitsAreHeld) {
  const std::pair<Sampling, const char*> refused[] = {
      {{.temperature = -0.1}, "temperature: expected 0 to 100, got -0.1"},
      {{.temperature = NAN}, "temperature: expected 0 to 100"},
      {{.top_k = -1}, "top-k: expected 0 to 1048576, got -1"},
      {{.top_p = 1.01}, "top-p: expected 0 to 1"},
      {{.min_p = -1}, "min-p: expected 0 to 1"},
      {{.repetition_penalty = 0}, "repetition penalty: expected 0.01 to 100, got 0"},
  };
  for (const auto& [sampling, part] : refused)
    expect_error(ErrorKind::usage, "decoding", part, [&] { check_decoding(sampling, {}); });
  for (const int beams : {0, 65})
    expect_error(ErrorKind::usage, "decoding", "beams: expected 1 to 64",
                 [&] { check_decoding({}, {.count = beams}); });
  expect_error(ErrorKind::usage, "decoding", "length penalty: expected -10 to 10",
               [] { check_decoding({}, {.length_penalty = 11}); });
  check_decoding({.temperature = 100, .top_k = 1, .top_p = 0, .min_p = 1, .repetition_penalty = 0.01}, {});
  check_decoding({}, {.count = 64, .score = BeamScore::mean, .length_penalty = -10});
}

TEST(Decoding, BeamsExcludeSampling) {
  for (const Sampling& sampling : {Sampling{.temperature = 1}, Sampling{.top_k = 5}, Sampling{.top_p = 0.5},
                                   Sampling{.min_p = 0.1}, Sampling{.repetition_penalty = 1.1}})
    expect_error(ErrorKind::usage, "decoding", "2 beams", [&] { check_decoding(sampling, {.count = 2}); });
  check_decoding({.seed = 3}, {.count = 2});
  expect_error(ErrorKind::usage, "decoding", "mean",
               [] { check_decoding({}, {.count = 2, .score = BeamScore::sum, .length_penalty = 2}); });
}

}  // namespace
}  // namespace paligemma
