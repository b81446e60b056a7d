// The cache of keys and values as a pool of blocks. A sequence names its blocks in a table; several tables may name the
// same block, and who writes to such a block gets a copy of its own first.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"

namespace paligemma {

using BlockTable = std::vector<std::int32_t>;  // Sequence::blocks

class KvPool {
 public:
  // An empty pool with at least so many blocks of `like`'s kind; `like.blocks` is not read. All tables become invalid.
  void reset(Backend& backend, const KvCache& like, std::int64_t blocks);

  KvCache& cache() { return cache_; }

  // Another table with the same blocks.
  BlockTable fork(const BlockTable& table);
  // Makes the table's blocks from position `first` to before `end` its own: takes those that are missing and copies
  // those that others share.
  void make_writable(Backend& backend, BlockTable& table, std::int64_t first, std::int64_t end);
  // Gives its blocks back and empties the table.
  void release(BlockTable& table);

 private:
  std::int32_t take();

  KvCache cache_;
  std::vector<std::int32_t> users_;  // tables that name each block
  std::vector<std::int32_t> free_;   // the next one to take is the last
};

}  // namespace paligemma
