#pragma once

#include <algorithm>

#include "model/checkpoint.h"
#include "model/network.h"
#include "tensor.h"

// Reads each tensor in pieces, as loading does.
inline void read_tensors(const paligemma::TensorSource& source, const paligemma::Config& config) {
  paligemma::Network network(config);
  visit(network, config, [&](const std::string& name, paligemma::Weight&, const paligemma::Shape& shape, auto) {
    if (source.shape(name) != shape) return;  // loading refuses it
    for (std::int64_t row = 0; row < shape[0]; row += 64)
      expect_whole(source.rows(name, row, std::min<std::int64_t>(64, shape[0] - row)));
  });
}
