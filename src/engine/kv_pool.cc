#include "engine/kv_pool.h"

#include <numeric>

#include "base/error.h"

namespace paligemma {

void KvPool::reset(Backend& backend, const KvCache& like, std::int64_t blocks) {
  if (blocks > cache_.blocks) {
    cache_ = {};  // never two of them at once
    cache_ = backend.make_kv_cache(like.layers, like.kv_heads, like.head_size, blocks, like.dtype);
  }
  const auto count = static_cast<std::size_t>(cache_.blocks);
  users_.assign(count, 0);
  free_.resize(count);
  std::iota(free_.rbegin(), free_.rend(), 0);
}

std::int32_t KvPool::take() {
  if (free_.empty()) fail(ErrorKind::failure, "kv_pool", "the cache has fewer blocks than it was asked for");
  const std::int32_t block = free_.back();
  free_.pop_back();
  users_[static_cast<std::size_t>(block)] = 1;
  return block;
}

BlockTable KvPool::fork(const BlockTable& table) {
  for (const std::int32_t block : table) ++users_[static_cast<std::size_t>(block)];
  return table;
}

void KvPool::make_writable(Backend& backend, BlockTable& table, std::int64_t first, std::int64_t end) {
  for (std::int64_t i = first / kKvBlockTokens; i * kKvBlockTokens < end; ++i) {
    if (i == static_cast<std::int64_t>(table.size())) {
      table.push_back(take());
      continue;
    }
    std::int32_t& block = table[static_cast<std::size_t>(i)];
    if (users_[static_cast<std::size_t>(block)] == 1) continue;
    const std::int32_t copy = take();
    backend.kv_copy(cache_, block, copy);
    --users_[static_cast<std::size_t>(block)];
    block = copy;
  }
}

void KvPool::release(BlockTable& table) {
  for (const std::int32_t block : table)
    if (--users_[static_cast<std::size_t>(block)] == 0) free_.push_back(block);
  table.clear();
}

}  // namespace paligemma
