#include "train/idle_backend.h"

#include <sys/mman.h>

#include <cstring>

#include "base/error.h"

namespace paligemma {

// The first page says how long it is.
Buffer IdleBackend::allocate(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  const std::size_t all = bytes + kPage;
  void* memory = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    fail(ErrorKind::resource, "out_of_memory", "planning: the system refuses ", bytes, " bytes of address space");
  std::memcpy(memory, &all, sizeof all);
  return Buffer(static_cast<std::byte*>(memory) + kPage, [](std::byte* start) {
    std::byte* memory = start - kPage;
    std::size_t all;
    std::memcpy(&all, memory, sizeof all);
    munmap(memory, all);
  });
}

KvCache IdleBackend::make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size,
                                   std::int64_t blocks, DType dtype) {
  caches_ += static_cast<std::uint64_t>(2 * layers * kv_heads * head_size * blocks * kKvBlockTokens * byte_size(dtype));
  return {layers, kv_heads, head_size, blocks, dtype};
}

// Of one head of one sequence: queries, keys and the like in two forms, and both matrices of lanes and keys; of each
// thread some lines of those.
void IdleBackend::attention_gradient(ConstView, const KvCache&, std::int64_t, std::span<const Sequence> sequences,
                                     std::span<const Sequence>, const AttentionShape& shape, ConstView, View, View,
                                     View, Precision) {
  const std::int64_t heads = std::ssize(sequences) * shape.kv_heads;
  for (const Sequence& s : sequences) {
    if (s.rows == 0) continue;
    const std::int64_t keys = s.visible(s.position + s.rows - 1), lanes = s.rows * shape.heads / shape.kv_heads;
    const std::int64_t head =
        std::int64_t{sizeof(float)} * (4 * lanes * shape.head_size + 5 * keys * shape.head_size + 2 * keys * lanes);
    const std::int64_t lines = std::int64_t{sizeof(float)} * HeadGradients::kTaskLanes * (2 * keys + shape.head_size);
    share((HeadGradients::apart(heads, threads_, head) ? threads_ : 1) * head + threads_ * lines);
  }
}

}  // namespace paligemma
