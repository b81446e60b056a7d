// The cache of keys and values, and attention over it.
//
// A cache block holds, for each layer and kv head, the keys of 64 positions as four panels (16 positions are the rows
// of a panel, H is k), then their values as H / 16 panels (16 elements of H are the rows, the positions are k). So
// scores and mixing are the same products as everything else.
//
// A task takes some "lanes" of one kv head: lane = (row, query head of the group), row by row. It keeps the lanes'
// scores over all keys, so that memory is bounded by lanes x keys for each thread.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {
namespace {

// Of a task: so often is a key or value used once it is in cache. Scores take 768 KiB for 4096 keys.
constexpr std::int64_t kLanes = 48;

// Where things lie inside a cache.
struct Layout {
  std::int64_t head_size, key_panel, value_panel, keys, head;  // the last four in bytes
  DType dtype;

  explicit Layout(const KvCache& cache) : Layout(cache.head_size, cache.dtype) {}
  Layout(std::int64_t head_size, DType dtype)
      : head_size(head_size),
        key_panel(panel_bytes(head_size, dtype)),
        value_panel(panel_bytes(kKvBlockTokens, dtype)),
        keys(key_panel * (kKvBlockTokens / kPanel)),
        head(keys + value_panel * (round_up(head_size, kPanel) / kPanel)),
        dtype(dtype) {}
};

std::byte* head_of(const KvCache& cache, const Layout& layout, std::int64_t block, std::int64_t layer,
                   std::int64_t head) {
  return cache.storage.get() + ((block * cache.layers + layer) * cache.kv_heads + head) * layout.head;
}

void put(std::byte* panel, std::int64_t k, std::int64_t lane, DType type, float value) {
  const std::int64_t at = panel_index(k, lane, type);
  if (type == DType::bf16) {
    reinterpret_cast<std::uint16_t*>(panel)[at] = f32_to_bf16(value);
  } else {
    reinterpret_cast<float*>(panel)[at] = value;
  }
}

void check_sequences(std::span<const Sequence> sequences, const KvCache& cache, std::int64_t rows) {
  for (const Sequence& sequence : sequences) {
    check_shape(
        sequence.row >= 0 && sequence.rows >= 0 && sequence.position >= 0 && sequence.rows <= rows - sequence.row,
        "attention: expected at most ", rows, " rows, got ", sequence.row, " + ", sequence.rows);
    const std::int64_t keys = sequence.rows == 0 ? 0 : sequence.visible(sequence.position + sequence.rows - 1);
    check_shape(keys <= std::int64_t(sequence.blocks.size()) * kKvBlockTokens, "attention: expected ", keys,
                " positions in the cache, got ", sequence.blocks.size(), " blocks of ", kKvBlockTokens);
    for (const std::int32_t block : sequence.blocks) {
      check_shape(block >= 0 && block < cache.blocks, "attention: expected a block below ", cache.blocks, ", got ",
                  block);
    }
  }
}

}  // namespace

KvCache CpuBackend::make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size,
                                  std::int64_t blocks, DType dtype) {
  KvCache cache{layers, kv_heads, head_size, blocks, stored_as(dtype)};
  std::int64_t bytes = 0;
  check_shape(layers >= 0 && kv_heads >= 0 && blocks >= 0 && head_size > 0 && head_size < (1 << 20) &&
                  !__builtin_mul_overflow(layers, kv_heads, &bytes) && !__builtin_mul_overflow(bytes, blocks, &bytes) &&
                  !__builtin_mul_overflow(bytes, Layout(cache).head, &bytes),
              "making a cache: ", layers, " x ", kv_heads, " x ", head_size, " x ", blocks, " is out of range");
  cache.bytes = std::size_t(bytes);
  cache.storage = allocate(cache.bytes);
  return cache;
}

void CpuBackend::kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                          std::span<const Sequence> sequences) {
  const Layout layout(cache);
  const std::int64_t size = cache.head_size;
  check_shape(
      layer >= 0 && layer < cache.layers && k.cols == cache.kv_heads * size && v.cols == k.cols && k.rows == v.rows,
      "kv_write: expected rows of ", cache.kv_heads, " x ", size, " of layer below ", cache.layers, ", got ", k.cols,
      " and ", v.cols, " of layer ", layer);
  check_sequences(sequences, cache, k.rows);
  for (const Sequence& sequence : sequences) {
    for_rows(sequence.rows, 4 * k.cols, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t i = first; i < first + count; ++i) {
        const std::int64_t at = (sequence.position + i) % kKvBlockTokens;
        const std::int64_t block = sequence.blocks[std::size_t((sequence.position + i) / kKvBlockTokens)];
        for (std::int64_t head = 0; head < cache.kv_heads; ++head) {
          std::byte* keys = head_of(cache, layout, block, layer, head);
          std::byte* values = keys + layout.keys;
          const float* key = k.row(sequence.row + i) + head * size;
          const float* value = v.row(sequence.row + i) + head * size;
          keys += at / kPanel * layout.key_panel;
          for (std::int64_t h = 0; h < size; ++h) {
            put(keys, h, at % kPanel, layout.dtype, key[h]);
            put(values + h / kPanel * layout.value_panel, at, h % kPanel, layout.dtype, value[h]);
          }
        }
      }
    });
  }
}

struct CpuBackend::AttentionCall {
  ConstView q;
  View y;
  const KvCache& cache;
  Layout layout;
  std::int64_t layer;
  const AttentionShape& shape;
  const ProductKernel& kernel;
  Precision precision;
  std::int64_t group;         // query heads of a kv head
  std::int64_t lanes;         // of a task
  std::int64_t score_stride;  // floats
};

void CpuBackend::attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                           const AttentionShape& shape, View y, Precision precision) {
  check_shape(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.kv_heads == cache.kv_heads &&
                  shape.head_size == cache.head_size && q.cols == shape.heads * shape.head_size && y.cols == q.cols &&
                  y.rows == q.rows && layer >= 0 && layer < cache.layers,
              "attention: expected ", cache.kv_heads, " kv heads of ", cache.head_size, " of layer below ",
              cache.layers, ", got ", shape.heads, " / ", shape.kv_heads, " heads of ", shape.head_size, ", width ",
              q.cols, ", layer ", layer);
  check_sequences(sequences, cache, q.rows);
  std::int64_t keys = 0, lanes = 0;
  const std::int64_t group = shape.heads / shape.kv_heads;
  for (const Sequence& s : sequences) {
    if (s.rows > 0) keys = std::max(keys, s.visible(s.position + s.rows - 1));
    lanes += s.rows * group * shape.kv_heads;
  }
  AttentionCall call{q, y, cache, Layout(cache), layer, shape, product(precision, cache.dtype), precision, group};
  // At least one task for each thread; each keeps its queries, scores and results.
  call.lanes = std::clamp<std::int64_t>((lanes + pool_.threads() - 1) / pool_.threads(), 1, kLanes);
  // One line more than the keys, lest the lanes' rows fall onto the same lines of the first cache.
  call.score_stride = round_up(keys, kKvBlockTokens) + 16;
  const std::int64_t floats = call.score_stride + 2 * round_up(shape.head_size, kPanel);
  for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(call.lanes * floats) * sizeof(float));
  std::int64_t tasks = 0;
  const auto tasks_of = [&](const Sequence& s) {
    return (s.rows * group + call.lanes - 1) / call.lanes * shape.kv_heads;
  };
  for (const Sequence& s : sequences) tasks += tasks_of(s);
  pool_.run(tasks, [&](std::int64_t i, int thread) {
    const Sequence* s = sequences.data();
    for (; i >= tasks_of(*s); ++s) i -= tasks_of(*s);
    attend(call, *s, i % shape.kv_heads, i / shape.kv_heads * call.lanes, thread);
  });
}

// Lanes [first, first + call.lanes) of the sequence, or as many as there are.
void CpuBackend::attend(const AttentionCall& call, const Sequence& sequence, std::int64_t kv_head, std::int64_t first,
                        int thread) {
  const Layout& layout = call.layout;
  const std::int64_t size = layout.head_size, width = round_up(size, kPanel), stride = call.score_stride;
  const std::int64_t count = std::min(call.lanes, sequence.rows * call.group - first);
  float* scores = reinterpret_cast<float*>(of_thread_[thread].reserve(0));
  float* queries = scores + call.lanes * stride;
  float* mixed = queries + call.lanes * width;
  const bool bf16 = call.kernel.bf16_a;
  const auto row_of = [&](std::int64_t lane) { return sequence.row + (first + lane) / call.group; };
  const auto column_of = [&](std::int64_t lane) { return (kv_head * call.group + (first + lane) % call.group) * size; };
  const auto keys_of = [&](std::int64_t lane) {
    return sequence.visible(sequence.position + (first + lane) / call.group);
  };
  const std::int64_t keys = keys_of(count - 1);
  const auto block_of = [&](std::int64_t key) {
    return head_of(call.cache, layout, sequence.blocks[std::size_t(key / kKvBlockTokens)], call.layer, kv_head);
  };
  const auto next_block = [&](std::int64_t key) {
    return key + kKvBlockTokens < keys ? block_of(key + kKvBlockTokens) : nullptr;
  };
  const auto round = [&](std::int64_t n, const float* x, float* y) {
    if (bf16) {
      kernels_.narrow_bf16(n, x, reinterpret_cast<std::uint16_t*>(y));
    } else if (call.precision == Precision::bf16) {
      kernels_.round_bf16(n, x, y);
    } else if (x != y) {
      std::copy_n(x, n, y);
    }
  };
  // A float's place holds two bf16.
  const std::ptrdiff_t a_scale = bf16 ? 2 : 1;

  for (std::int64_t lane = 0; lane < count; ++lane) {
    round(size, call.q.row(row_of(lane)) + column_of(lane), queries + lane * width);
  }
  // Scores of keys that a lane does not see are computed and never read.
  for (std::int64_t key = 0; key < keys; key += kKvBlockTokens) {
    call.kernel.run({.a = queries,
                     .a_stride = width * a_scale,
                     .b = block_of(key),
                     .b_stride = layout.key_panel,
                     .c = scores + key,
                     .c_stride = stride,
                     .rows = count,
                     .columns = std::min(kKvBlockTokens, round_up(keys - key, kPanel)),
                     .k = size,
                     .next = next_block(key)});
  }
  // The queries are done with: their first elements now hold the sums.
  for (std::int64_t lane = 0; lane < count; ++lane) {
    float* row = scores + lane * stride;
    const std::int64_t seen = keys_of(lane);
    queries[lane] = kernels_.softmax(seen, call.shape.scale, call.shape.soft_cap, row);
    round(seen, row, row);
  }
  // Lanes that see equally much of a block go together, so that what a lane does not see is not touched.
  for (std::int64_t key = 0; key < keys; key += kKvBlockTokens) {
    const auto seen_of = [&](std::int64_t lane) {
      return std::clamp<std::int64_t>(keys_of(lane) - key, 0, kKvBlockTokens);
    };
    for (std::int64_t lane = 0, next; lane < count; lane = next) {
      for (next = lane + 1; next < count && seen_of(next) == seen_of(lane);) ++next;
      if (seen_of(lane) == 0) continue;
      const float* a = scores + lane * stride;
      call.kernel.run({.a = bf16 ? static_cast<const void*>(reinterpret_cast<const std::uint16_t*>(a) + key) : a + key,
                       .a_stride = stride * a_scale,
                       .b = block_of(key) + layout.keys,
                       .b_stride = layout.value_panel,
                       .c = mixed + lane * width,
                       .c_stride = width,
                       .rows = next - lane,
                       .columns = width,
                       .k = seen_of(lane),
                       .accumulate = key > 0,
                       .next = next_block(key) == nullptr ? nullptr : next_block(key) + layout.keys});
    }
  }
  for (std::int64_t lane = 0; lane < count; ++lane) {
    kernels_.scale(size, 1 / queries[lane], mixed + lane * width, call.y.row(row_of(lane)) + column_of(lane));
  }
}

}  // namespace paligemma
