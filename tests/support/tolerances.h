// Every tolerance against the reference, with its reason. The references are float32 themselves: their own distance
// from double precision is the floor.
#pragma once

namespace paligemma::test {

// Relative RMS of an intermediate or of logits in f32. Reordered f32 sums over K <= 257 terms differ by about
// sqrt(K) 2^-24 = 1e-6 a product; a dozen products and the nonlinearities between them bring the reference itself to
// 1.2e-5 from double precision at the last layer.
constexpr double kTapRelativeRms = 3e-5;

// Log-probabilities in f32. Logits reach 30 and log-softmax adds their errors: the reference is up to 7e-4 from double
// precision.
constexpr double kLogprob = 2e-3;

// Where keys and values are rounded to bf16 as the reference rounds them, f32 noise moves some across the middle
// between two bf16 numbers: by a whole unit u, when all others agree. Rounding itself errs by u / sqrt(12) RMS
// everywhere. Noise of 1e-5 flips p = 2e-5 / 2^-8 of them, so what is left is at most sqrt(12 p) = 0.25 of what
// rounding changes.
constexpr double kFlippedShare = 0.25;

// Below this distance between the two best logits the order is decided by rounding.
constexpr double kNearTie = 1e-3;

// Of metrics to what the reference implementations compute.
inline constexpr double kMetricTolerance = 1e-6;

}  // namespace paligemma::test
