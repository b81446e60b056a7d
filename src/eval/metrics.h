// How near two answers are: boxes, masks, objects as a whole, and the probabilities of tokens.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace paligemma {

// Intersection over union of two boxes x1 y1 x2 y2; 0 when neither has an area.
double box_iou(const std::array<double, 4>& a, const std::array<double, 4>& b);

// The same of the pixels of two masks in one picture; 1 for two without a pixel.
double mask_iou(const Mask& a, const Mask& b);

// For each object of `a` the object of `b` that it is taken for, if any. Only objects with the same label and
// overlapping boxes match, each once: the pair with the largest box IoU first, of equal ones the first in `a`, then in
// `b`.
std::vector<std::optional<std::size_t>> match_objects(std::span<const Object> a, std::span<const Object> b);

// The natural logarithm of the softmax of a row of logits at a token, in double precision.
double log_probability(std::span<const float> logits, int token);

// KL(A || B) = sum of p_A log(p_A / p_B) in nats, of the softmax of two rows of logits of one size, in double
// precision.
double kl_divergence(std::span<const float> a, std::span<const float> b);

}  // namespace paligemma
