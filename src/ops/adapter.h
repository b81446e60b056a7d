// What a LoRA adapter changes, tensor by tensor, in the form that ops compute with.
//
// The network stays as it is: for each range of rows an op asks the adapter of those rows what it has for the tensors
// at hand. A tensor is known by the place of its Weight in the network.
#pragma once

#include <string>
#include <unordered_map>

#include "backend/backend.h"

namespace paligemma {

// Of a product with W (N, K): y = scale * (x W^T + (x A^T) B^T + b_bias) + offset. Of a table (V, D) whose rows are
// looked up: y = table[id] + A[id] B^T. The adapter's own factor is in B and b_bias.
struct LowRank {
  Weight a;       // (r, K); of a table (V, r)
  Weight b;       // (N, r); of a table (D, r)
  Weight b_bias;  // (1, N), or absent
  Weight scale;   // (1, N) of DoRA: magnitude over the row norm of W + B A; or absent
  Weight offset;  // (1, N) beside scale: leaves the layer's bias as it is
};

// A tied embedding is both a table and the head's weight, and an adapter may change one alone: so tables are apart.
struct AdapterSet {
  template <class T>
  using ByTensor = std::unordered_map<const Weight*, T>;

  std::string name;
  bool changes_pictures = false;  // the embeddings of pictures are not those of the network
  ByTensor<LowRank> products;
  ByTensor<LowRank> tables;
  ByTensor<Weight> replaced;  // computed with instead of the network's: weights, biases, norms, positions
  ByTensor<Weight> replaced_tables;
};

// Rows that belong to sequences with this adapter. Ranges are in ascending order; rows in none have no adapter.
struct AdapterRows {
  std::int64_t row = 0;
  std::int64_t rows = 0;
  const AdapterSet* adapter = nullptr;
};

}  // namespace paligemma
