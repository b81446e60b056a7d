// The cache of keys and values, and attention over it.
//
// A task takes some "lanes" of one kv head: lane = (row, query head of the group), row by row. It keeps the lanes'
// scores over all keys, so that memory is bounded by lanes x keys for each thread.
//
// A lane sees the keys [begin, seen). Blocks before begin's are passed over; what lies in begin's block before it gets
// the weight zero, so that products always start at a block.
#include <algorithm>
#include <cstring>

#include "backend/cpu/attention_cache.h"
#include "backend/cpu/cpu_backend.h"

namespace paligemma {

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

void check_attention(ConstView q, const KvCache& cache, std::int64_t layer, const AttentionShape& shape, ConstView y) {
  check_shape(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.kv_heads == cache.kv_heads &&
                  shape.head_size == cache.head_size && q.cols == shape.heads * shape.head_size && y.cols == q.cols &&
                  y.rows == q.rows && shape.scale >= 0 && shape.window >= 0 && layer >= 0 && layer < cache.layers,
              "attention: expected ", cache.kv_heads, " kv heads of ", cache.head_size, " of layer below ",
              cache.layers, ", got ", shape.heads, " / ", shape.kv_heads, " heads of ", shape.head_size, ", width ",
              q.cols, ", layer ", layer);
}

namespace {

// Of a task: so often is a key or value used once it is in cache. Scores take 768 KiB for 4096 keys.
constexpr std::int64_t kLanes = 48;

constexpr std::int64_t kRun = 128;  // elements of a head that are written in one go

// Writes elements of a head, from h on, which is a multiple of kPanel: keys and values of some positions, from row `at`
// of a block on, which are of one panel of keys. `round(n, x, y)` makes n elements of T of them.
template <class T, class Round>
void put(ConstView keys, ConstView values, std::int64_t h, std::int64_t at, const CacheLayout& layout, std::byte* block,
         Round round) {
  constexpr DType type = std::is_same_v<T, float> ? DType::f32 : DType::bf16;
  constexpr std::int64_t kDepth = sizeof(float) / sizeof(T);  // elements of k that lie together
  const std::int64_t positions = keys.rows, count = keys.cols;
  T rounded[2][kPanel][kRun];
  for (std::int64_t p = 0; p < positions; ++p) {
    round(count, keys.row(p), rounded[0][p]);
    round(count, values.row(p), rounded[1][p]);
    if (count % kDepth != 0) rounded[0][p][count] = 0;
  }
  T* panel = reinterpret_cast<T*>(block + at / kPanel * layout.key_panel);
  for (std::int64_t i = 0; i < count; i += kDepth) {
    T* line = panel + panel_index(h + i, at % kPanel, type);
    for (std::int64_t p = 0; p < positions; ++p) std::memcpy(line + p * kDepth, rounded[0][p] + i, kDepth * sizeof(T));
  }
  for (std::int64_t i = 0; i < count; i += kPanel) {
    panel = reinterpret_cast<T*>(block + layout.keys + (h + i) / kPanel * layout.value_panel);
    const std::int64_t width = std::min(kPanel, count - i);
    for (std::int64_t p = 0, together; p < positions; p += together) {
      together = std::min(positions - p, kDepth - (at + p) % kDepth);  // positions that share lines
      T* line = panel + panel_index(at + p, 0, type);
      const T* value = rounded[1][p] + i;
      if (together == 2) {
        for (std::int64_t j = 0; j < width; ++j) line[2 * j] = value[j], line[2 * j + 1] = value[kRun + j];
      } else {
        for (std::int64_t j = 0; j < width; ++j) line[kDepth * j] = value[j];
      }
    }
  }
}

// What all tasks of a call share.
struct AttentionCall {
  ConstView q;
  View y;
  const KvCache& cache;
  std::int64_t layer;
  const AttentionShape& shape;
  Precision precision;
  const Kernels& kernels;
  const ProductKernel& product;
  bool narrow = product.left == Left::bf16;  // left operands are bf16
  CacheLayout layout{cache};
  std::int64_t group = shape.heads / shape.kv_heads;  // query heads of a kv head
  std::int64_t width = round_up(shape.head_size, kPanel);
  std::int64_t lanes = 0;         // of a task
  std::int64_t score_stride = 0;  // floats

  std::int64_t floats() const { return lanes * (score_stride + 2 * width + 1); }
};

class AttentionTask {
 public:
  // Lanes [first, first + call.lanes) of the sequence, or as many as there are; `memory` holds call.floats().
  AttentionTask(const AttentionCall& call, const Sequence& sequence, std::int64_t kv_head, std::int64_t first,
                float* memory)
      : call_(call),
        sequence_(sequence),
        kv_head_(kv_head),
        first_(first),
        count_(std::min(call.lanes, sequence.rows * call.group - first)),
        first_key_(block_start(0)),
        keys_(seen(count_ - 1)),
        scores_(memory),
        queries_(scores_ + call.lanes * call.score_stride),
        mixed_(queries_ + call.lanes * call.width),
        sums_(mixed_ + call.lanes * call.width) {}

  void run() {
    const std::int64_t size = call_.shape.head_size;
    for (std::int64_t lane = 0; lane < count_; ++lane) round(size, head(call_.q, lane), queries_ + lane * call_.width);
    for (std::int64_t key = first_key_; key < keys_; key += kKvBlockTokens) score(key);
    for (std::int64_t lane = 0; lane < count_; ++lane) weigh(lane);
    for (std::int64_t key = first_key_; key < keys_; key += kKvBlockTokens) mix(key);
    for (std::int64_t lane = 0; lane < count_; ++lane) {
      call_.kernels.scale(size, 1 / sums_[lane], mixed_ + lane * call_.width, head(call_.y, lane));
    }
  }

 private:
  // Scores to weights, not yet divided by their sum.
  void weigh(std::int64_t lane) {
    const std::int64_t start = block_start(lane);
    float* row = scores_ + lane * call_.score_stride;
    sums_[lane] =
        call_.kernels.softmax(seen(lane) - begin(lane), call_.shape.scale, call_.shape.soft_cap, row + begin(lane));
    std::fill(row + start, row + begin(lane), 0.0f);
    round(seen(lane) - start, row + start, weights(lane, start));
  }

  // The lane's part of a row of q or y.
  template <class T>
  T* head(MatrixView<T> x, std::int64_t lane) const {
    const std::int64_t at = first_ + lane;
    return x.row(sequence_.row + at / call_.group) +
           (kv_head_ * call_.group + at % call_.group) * call_.shape.head_size;
  }
  std::int64_t position(std::int64_t lane) const { return sequence_.position + (first_ + lane) / call_.group; }
  // The keys that the lane sees are [begin, seen); neither falls from a lane to the next.
  std::int64_t begin(std::int64_t lane) const { return sequence_.first_visible(position(lane), call_.shape.window); }
  std::int64_t seen(std::int64_t lane) const { return sequence_.visible(position(lane)); }
  // Of the block of the first of them.
  std::int64_t block_start(std::int64_t lane) const { return begin(lane) / kKvBlockTokens * kKvBlockTokens; }
  // Where the lane's weights from `key` on are, as the product wants them: a float's place holds two bf16.
  float* weights(std::int64_t lane, std::int64_t key) const {
    float* row = scores_ + lane * call_.score_stride;
    return call_.narrow ? reinterpret_cast<float*>(reinterpret_cast<std::uint16_t*>(row) + key) : row + key;
  }
  // The block of `key`, or null beyond the keys.
  const std::byte* block(std::int64_t key) const {
    if (key >= keys_) return nullptr;
    return head_of(call_.cache, call_.layout, sequence_.blocks[std::size_t(key / kKvBlockTokens)], call_.layer,
                   kv_head_);
  }
  // As the product wants its left operand: a float's place holds two bf16.
  void round(std::int64_t n, const float* x, float* y) const {
    if (call_.narrow) {
      call_.kernels.narrow_bf16(n, x, reinterpret_cast<std::uint16_t*>(y));
    } else if (call_.precision != Precision::f32) {
      call_.kernels.round_bf16(n, x, y);
    } else if (x != y) {
      std::copy_n(x, n, y);
    }
  }

  // Scores of the block's keys. Those that a lane does not see are computed too, and never read.
  void score(std::int64_t key) const {
    call_.product.run({.a = queries_,
                       .a_stride = call_.width * (call_.narrow ? 2 : 1),
                       .b = block(key),
                       .b_stride = call_.layout.key_panel,
                       .c = scores_ + key,
                       .c_stride = call_.score_stride,
                       .rows = count_,
                       .columns = std::min(kKvBlockTokens, round_up(keys_ - key, kPanel)),
                       .k = call_.shape.head_size,
                       .next = block(key + kKvBlockTokens)});
  }

  // Adds the block's values. Lanes that see equally much of it go together: what a lane does not see is not touched.
  void mix(std::int64_t key) const {
    struct Part {
      std::int64_t keys;
      bool first;  // of the lane's blocks
      bool operator==(const Part&) const = default;
    };
    const auto here = [&](std::int64_t lane) -> Part {
      if (block_start(lane) > key) return {0, false};
      return {std::clamp<std::int64_t>(seen(lane) - key, 0, kKvBlockTokens), block_start(lane) == key};
    };
    const std::byte* next_block = block(key + kKvBlockTokens);
    for (std::int64_t lane = 0, next; lane < count_; lane = next) {
      const Part part = here(lane);
      for (next = lane + 1; next < count_ && here(next) == part;) ++next;
      if (part.keys == 0) continue;
      call_.product.run({.a = weights(lane, key),
                         .a_stride = call_.score_stride * (call_.narrow ? 2 : 1),
                         .b = block(key) + call_.layout.keys,
                         .b_stride = call_.layout.value_panel,
                         .c = mixed_ + lane * call_.width,
                         .c_stride = call_.width,
                         .rows = next - lane,
                         .columns = call_.width,
                         .k = part.keys,
                         .accumulate = !part.first,
                         .next = next_block == nullptr ? nullptr : next_block + call_.layout.keys});
    }
  }

  const AttentionCall& call_;
  const Sequence& sequence_;
  std::int64_t kv_head_, first_, count_;
  std::int64_t first_key_, keys_;  // what any lane sees, from the start of a block
  float* scores_;                  // (lanes, score_stride)
  float* queries_;                 // (lanes, width)
  float* mixed_;                   // (lanes, width)
  float* sums_;                    // (lanes) of the exponentials
};

}  // namespace

KvCache CpuBackend::make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size,
                                  std::int64_t blocks, DType dtype) {
  KvCache cache{layers, kv_heads, head_size, blocks, stored_as(dtype)};
  std::int64_t bytes = 0;
  check_shape(layers >= 0 && kv_heads >= 0 && blocks >= 0 && head_size > 0 && head_size < (1 << 20) &&
                  !__builtin_mul_overflow(layers, kv_heads, &bytes) && !__builtin_mul_overflow(bytes, blocks, &bytes) &&
                  !__builtin_mul_overflow(bytes, CacheLayout(cache).head, &bytes),
              "making a cache: ", layers, " x ", kv_heads, " x ", head_size, " x ", blocks, " is out of range");
  cache.bytes = std::size_t(bytes);
  cache.storage = allocate(cache.bytes);
  return cache;
}

void CpuBackend::kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                          std::span<const Sequence> sequences) {
  const CacheLayout layout(cache);
  const std::int64_t size = cache.head_size;
  check_shape(
      layer >= 0 && layer < cache.layers && k.cols == cache.kv_heads * size && v.cols == k.cols && k.rows == v.rows,
      "kv_write: expected rows of ", cache.kv_heads, " x ", size, " of layer below ", cache.layers, ", got ", k.cols,
      " and ", v.cols, " of layer ", layer);
  check_sequences(sequences, cache, k.rows);
  for (const Sequence& sequence : sequences) {
    const std::int64_t start = sequence.position, end = start + sequence.rows;
    // A panel of keys is one thread's: its positions share lines of the cache.
    pool_.run(end <= start ? 0 : (end - 1) / kPanel - start / kPanel + 1, [&](std::int64_t panel, int) {
      const std::int64_t first = (start / kPanel + panel) * kPanel;
      const std::int64_t begin = std::max(first, start), count = std::min(first + kPanel, end) - begin;
      const ConstView keys = k.row_range(sequence.row + begin - start, count);
      const ConstView values = v.row_range(sequence.row + begin - start, count);
      for (std::int64_t head = 0; head < cache.kv_heads; ++head) {
        std::byte* block = head_of(cache, layout, sequence.blocks[std::size_t(first / kKvBlockTokens)], layer, head);
        for (std::int64_t h = 0; h < size; h += kRun) {
          const std::int64_t width = std::min(kRun, size - h);
          const ConstView key = keys.col_range(head * size + h, width),
                          value = values.col_range(head * size + h, width);
          const std::int64_t at = begin % kKvBlockTokens;
          if (layout.dtype == DType::f32) {
            put<float>(key, value, h, at, layout, block, [](auto n, auto* x, auto* y) { std::copy_n(x, n, y); });
          } else {
            put<std::uint16_t>(key, value, h, at, layout, block, kernels_.narrow_bf16);
          }
        }
      }
    });
  }
}

void CpuBackend::kv_copy(KvCache& cache, std::int32_t from, std::int32_t to) {
  check_shape(from >= 0 && to >= 0 && from < cache.blocks && to < cache.blocks && from != to,
              "kv_copy: expected two blocks below ", cache.blocks, ", got ", from, " and ", to);
  const CacheLayout layout(cache);
  const std::int64_t bytes = cache.layers * cache.kv_heads * layout.head;
  std::memcpy(head_of(cache, layout, to, 0, 0), head_of(cache, layout, from, 0, 0), std::size_t(bytes));
}

void CpuBackend::attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                           const AttentionShape& shape, View y, Precision precision) {
  check_attention(q, cache, layer, shape, y);
  check_sequences(sequences, cache, q.rows);
  AttentionCall call{.q = q,
                     .y = y,
                     .cache = cache,
                     .layer = layer,
                     .shape = shape,
                     .precision = precision,
                     .kernels = kernels_,
                     .product = product(precision, cache.dtype)};
  std::int64_t keys = 0, lanes = 0;
  for (const Sequence& s : sequences) {
    if (s.rows > 0) keys = std::max(keys, s.visible(s.position + s.rows - 1));
    lanes += s.rows * shape.heads;
  }
  // At least one task for each thread.
  call.lanes = std::clamp<std::int64_t>((lanes + pool_.threads() - 1) / pool_.threads(), 1, kLanes);
  // One line more than the keys, lest the lanes' rows fall onto the same lines of the first cache.
  call.score_stride = round_up(keys, kKvBlockTokens) + 16;
  for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(call.floats()) * sizeof(float));
  const auto tasks_of = [&](const Sequence& s) {
    return (s.rows * call.group + call.lanes - 1) / call.lanes * shape.kv_heads;
  };
  std::int64_t tasks = 0;
  for (const Sequence& s : sequences) tasks += tasks_of(s);
  pool_.run(tasks, [&](std::int64_t i, int thread) {
    const Sequence* s = sequences.data();
    for (; i >= tasks_of(*s); ++s) i -= tasks_of(*s);
    auto* memory = reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0));
    AttentionTask(call, *s, i % shape.kv_heads, i / shape.kv_heads * call.lanes, memory).run();
  });
}

}  // namespace paligemma
