// The gradient of attention. Probabilities are computed again, not kept from the forward pass.
//
// One kv head of one sequence at a time, in three phases. What products need of q, dy, keys and values is laid out
// first. Then come the lanes (row, query head of the group) in tasks of some: probabilities P and the gradient dS of
// the scores, which give dq = dS K. Both are left turned over, (keys, lanes), for the last phase, whose tasks are keys:
// dv = P^T dy and dk = dS^T q.
//
// The tasks of a phase are those of all threads. When there are heads enough, and none takes much memory, each is one
// thread's instead, and so are the sequences that add to the same keys.
#include <algorithm>
#include <cstring>

#include "backend/cpu/attention_cache.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/row_words.h"
#include "backend/cpu/turned_panel.h"

namespace paligemma {
namespace {

constexpr std::int64_t kTaskKeys = 48;
constexpr std::int64_t kTaskLanes = HeadGradients::kTaskLanes,
                       kGatheredLanes = 32;  // whole blocks of words of any kind

// Parts of one piece of memory, each on its own cache lines. Without memory it only counts.
class Parts {
 public:
  explicit Parts(std::byte* memory) : memory_(memory) {}
  float* take(std::int64_t floats) {
    const std::int64_t at = bytes_;
    bytes_ += round_up(floats * std::int64_t(sizeof(float)), 64);
    return memory_ == nullptr ? nullptr : reinterpret_cast<float*>(memory_ + at);
  }
  std::size_t bytes() const { return std::size_t(bytes_); }

 private:
  std::byte* memory_;
  std::int64_t bytes_ = 0;
};

// A kernel, the type of the panels that it reads, and what it wants on the left.
struct Multiplier {
  const ProductKernel& kernel;
  DType panels;
  RowWords::Kind left;

  Multiplier(const ProductKernel& kernel, DType panels, Precision precision)
      : kernel(kernel),
        panels(panels),
        left(kernel.left == Left::bf16     ? RowWords::Kind::pairs
             : precision == Precision::f32 ? RowWords::Kind::plain
                                           : RowWords::Kind::rounded) {}

  // c = a * b, or += ; strides of a in floats' places, which hold two bf16, of b in bytes.
  void run(const float* a, std::int64_t a_stride, const void* b, std::int64_t b_stride, std::int64_t k, View c,
           bool accumulate) const {
    kernel.run({.a = a,
                .a_stride = a_stride * (left == RowWords::Kind::pairs ? 2 : 1),
                .b = b,
                .b_stride = b_stride,
                .c = c.data,
                .c_stride = c.stride,
                .rows = c.rows,
                .columns = c.cols,
                .k = k,
                .accumulate = accumulate});
  }
};

// What all tasks of a call share.
struct GradientCall {
  ConstView q, dy;
  View dq, dk, dv;
  const KvCache& cache;
  std::int64_t layer;
  const AttentionShape& shape;
  const Kernels& kernels;
  Multiplier by_cache;  // with panels made of keys and values
  Multiplier by_rows;   // with panels made of q and dy
  CacheLayout layout{cache};
  std::int64_t group = shape.heads / shape.kv_heads;
  RowWords left_words{kernels, by_rows.left};
  RowWords right_words{kernels, by_rows.panels == DType::bf16 ? RowWords::Kind::pairs : RowWords::Kind::plain};

  // A row as the left operand of by_cache, in place or not.
  void round(std::int64_t n, const float* x, float* y) const {
    if (by_cache.left == RowWords::Kind::pairs) {
      kernels.narrow_bf16(n, x, reinterpret_cast<std::uint16_t*>(y));
    } else if (by_cache.left == RowWords::Kind::rounded) {
      kernels.round_bf16(n, x, y);
    } else if (x != y) {
      std::copy_n(x, n, y);
    }
  }
};

// What one head of one sequence needs between the phases. Panels have room for whole tiles.
struct HeadMemory {
  std::int64_t lanes, keys, size, whole_keys, lane_words, column_panel, key_panel;
  float *q, *dy;                  // (lanes, H), as by_cache wants them
  std::byte *v_rows, *k_columns;  // panels of 16 keys [H][16], and of 16 columns [keys][16]
  std::int64_t v_panel, k_panel;  // bytes of each
  float *q_columns, *dy_columns;  // panels of 16 columns, [words of lanes][16]
  float *turned_p, *turned_ds;    // (keys, words of lanes), of which each task has lines of its own
  std::int64_t turned_stride;

  HeadMemory(Parts& parts, const GradientCall& call, std::int64_t lanes, std::int64_t keys)
      : lanes(lanes), keys(keys), size(call.shape.head_size), whole_keys(round_up(keys, kPanel)) {
    const std::int64_t width = round_up(size, kPanel);
    const DType type = call.layout.dtype;
    v_panel = panel_data(width, type), k_panel = panel_data(whole_keys, type);
    column_panel = call.right_words.words(round_up(lanes, kGatheredLanes)) * kPanel;
    turned_stride = call.left_words.words(round_up(lanes, kTaskLanes)) | kPanel;
    q = parts.take(lanes * size), dy = parts.take(lanes * size);
    v_rows = reinterpret_cast<std::byte*>(parts.take(whole_keys / kPanel * v_panel / 4));
    k_columns = reinterpret_cast<std::byte*>(parts.take(width / kPanel * k_panel / 4));
    q_columns = parts.take(width / kPanel * column_panel), dy_columns = parts.take(width / kPanel * column_panel);
    turned_p = parts.take(whole_keys * turned_stride), turned_ds = parts.take(whole_keys * turned_stride);
  }
};

// Keys of positions from `first` on, which rows from `row` on wrote.
struct KeyRange {
  std::int64_t first, count, row;
};

// The sequence that wrote what lies before sequence i, as attention_gradient() says; i where nothing does.
std::size_t writer_of(std::span<const Sequence> keys, std::size_t i) {
  const Sequence& own = keys[i];
  if (own.position == 0) return i;
  const auto wrote_beginning = [&](const Sequence& other) {
    return other.position == 0 && other.rows >= own.position && !other.blocks.empty() &&
           other.blocks.front() == own.blocks.front();
  };
  const auto found = std::find_if(keys.begin(), keys.end(), wrote_beginning);
  check_shape(found != keys.end() && own.position % kKvBlockTokens == 0,
              "attention_gradient: expected a sequence that wrote the ", own.position, " keys before sequence ", i);
  return std::size_t(found - keys.begin());
}

// The first `seen` keys of `own` in pieces of a task.
std::vector<KeyRange> key_tasks(const Sequence& own, const Sequence& writer, std::int64_t seen) {
  std::vector<KeyRange> tasks;
  const auto add = [&](std::int64_t first, std::int64_t end, std::int64_t row) {
    for (std::int64_t at = first; at < end; at += kTaskKeys)
      tasks.push_back({at, std::min(kTaskKeys, end - at), row + at - first});
  };
  add(0, std::min(seen, own.position), writer.row);
  add(own.position, seen, own.row);
  return tasks;
}

class HeadGradient {
 public:
  HeadGradient(const GradientCall& call, const Sequence& sequence, std::int64_t head, const HeadMemory& memory)
      : call_(call), sequence_(sequence), head_(head), m_(memory) {}

  // That a task takes.
  static std::int64_t floats(const GradientCall& call, std::int64_t keys) {
    return kTaskLanes * (2 * stride(keys) + call.shape.head_size) + stride(keys);
  }

  // each(count, task) calls task(i, memory) for all i below count.
  template <class Each>
  void run(std::span<const KeyRange> ranges, const Each& each) const {
    const std::int64_t panels = m_.whole_keys / kPanel;
    each(panels + (m_.lanes + kGatheredLanes - 1) / kGatheredLanes, [&](std::int64_t task, float* memory) {
      if (task < panels) return turn_keys(task * kPanel);
      gather_lanes((task - panels) * kGatheredLanes, memory);
    });
    each((m_.lanes + kTaskLanes - 1) / kTaskLanes,
         [&](std::int64_t task, float* memory) { run_lanes(task * kTaskLanes, memory); });
    each(2 * std::ssize(ranges),
         [&](std::int64_t task, float*) { run_keys(ranges[std::size_t(task / 2)], task % 2 == 0); });
  }

 private:
  // From lane to lane, an odd number of lines.
  static std::int64_t stride(std::int64_t keys) { return round_up(keys, kPanel) | kPanel; }
  const std::byte* block_of(std::int64_t key) const {
    return head_of(call_.cache, call_.layout, sequence_.blocks[std::size_t(key / kKvBlockTokens)], call_.layer, head_);
  }
  // A lane's part of a row of q, dy or dq.
  template <class T>
  T* part_of(MatrixView<T> x, std::int64_t lane) const {
    return x.row(sequence_.row + lane / call_.group) + (head_ * call_.group + lane % call_.group) * m_.size;
  }

  // The 16 keys from `first` on. What is read beyond the head's size lies in the same block and is never used.
  void turn_keys(std::int64_t first) const {
    const CacheLayout& layout = call_.layout;
    const auto turn = [&](const std::byte* panel, std::int64_t k, std::byte* out) {
      panel += panel_data(k, layout.dtype);
      if (layout.dtype == DType::bf16) {
        call_.kernels.turn_bf16(reinterpret_cast<const std::uint16_t*>(panel), reinterpret_cast<std::uint16_t*>(out));
      } else {
        call_.kernels.turn_words(reinterpret_cast<const float*>(panel), kPanel, reinterpret_cast<float*>(out), kPanel);
      }
    };
    const std::byte* block = block_of(first);
    const std::int64_t at = first % kKvBlockTokens;
    for (std::int64_t h = 0; h < m_.size; h += kPanel) {
      turn(block + at / kPanel * layout.key_panel, h,
           m_.k_columns + h / kPanel * m_.k_panel + panel_data(first, layout.dtype));
      turn(block + layout.keys + h / kPanel * layout.value_panel, at,
           m_.v_rows + first / kPanel * m_.v_panel + panel_data(h, layout.dtype));
    }
  }

  void gather_lanes(std::int64_t first, float* memory) const {
    const std::int64_t count = std::min(kGatheredLanes, m_.lanes - first);
    const View rows(memory, count, m_.size);
    struct Target {
      ConstView from;
      float *left, *columns;
    };
    for (const Target& to : {Target{call_.q, m_.q, m_.q_columns}, Target{call_.dy, m_.dy, m_.dy_columns}}) {
      for (std::int64_t i = 0; i < count; ++i) {
        std::copy_n(part_of(to.from, first + i), m_.size, rows.row(i));
        call_.round(m_.size, rows.row(i), to.left + (first + i) * m_.size);
      }
      const RowWords& words = call_.right_words;
      for (std::int64_t i = 0; i * words.rows() < count; ++i)
        words.pack(rows, i, to.columns + words.words(first) * kPanel, m_.column_panel);
    }
  }

  // Lanes [first, first + kTaskLanes), or as many as there are.
  void run_lanes(std::int64_t first, float* memory) const {
    const std::int64_t count = std::min(kTaskLanes, m_.lanes - first), stride = this->stride(m_.keys);
    const View p(memory, count, m_.keys, stride), ds(p.data + count * stride, count, m_.keys, stride);
    const View dq(ds.data + count * stride, count, m_.size);
    float* capped = dq.data + count * m_.size;
    for (std::int64_t key = 0; key < m_.keys; key += kKvBlockTokens)
      call_.by_cache.run(m_.q + first * m_.size, m_.size, block_of(key), call_.layout.key_panel, m_.size,
                         {p.data + key, count, std::min(kKvBlockTokens, m_.whole_keys - key), stride}, false);
    call_.by_cache.run(m_.dy + first * m_.size, m_.size, m_.v_rows, m_.v_panel, m_.size,
                       {ds.data, count, m_.whole_keys, stride}, false);
    for (std::int64_t i = 0; i < count; ++i)
      lane(sequence_.position + (first + i) / call_.group, p.row(i), ds.row(i), capped);
    const RowWords& words = call_.left_words;
    for (std::int64_t i = 0; i * words.rows() < count; ++i) {
      words.turn(p, i, m_.turned_p + words.words(first), m_.turned_stride);
      words.turn(ds, i, m_.turned_ds + words.words(first), m_.turned_stride);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      call_.round(m_.keys, ds.row(i), ds.row(i));
      std::copy_n(part_of(call_.dq, first + i), m_.size, dq.row(i));
    }
    call_.by_cache.run(ds.data, stride, m_.k_columns, m_.k_panel, m_.keys, dq, true);
    for (std::int64_t i = 0; i < count; ++i) std::copy_n(dq.row(i), m_.size, part_of(call_.dq, first + i));
  }

  void run_keys(const KeyRange& keys, bool values) const {
    const View sums = (values ? call_.dv : call_.dk).row_range(keys.row, keys.count);
    call_.by_rows.run((values ? m_.turned_p : m_.turned_ds) + keys.first * m_.turned_stride, m_.turned_stride,
                      values ? m_.dy_columns : m_.q_columns, m_.column_panel * std::int64_t(sizeof(float)), m_.lanes,
                      sums.col_range(head_ * m_.size, m_.size), true);
  }

  // Scores become probabilities, and the gradient of those becomes that of the scores; both 0 where nothing is seen.
  void lane(std::int64_t position, float* p, float* ds, float* capped) const {
    const Kernels& kernels = call_.kernels;
    const AttentionShape& shape = call_.shape;
    const std::int64_t begin = sequence_.first_visible(position, shape.window), end = sequence_.visible(position);
    const std::int64_t n = end - begin;
    float scale = shape.scale;
    if (shape.soft_cap != 0) {
      kernels.scale(n, scale, p + begin, p + begin);
      kernels.soft_cap(n, shape.soft_cap, p + begin);
      std::copy_n(p + begin, n, capped);
      scale = 1;
    }
    const float sum = kernels.softmax(n, scale, 0, p + begin);
    kernels.scale(n, 1 / sum, p + begin, p + begin);
    kernels.softmax_gradient(n, p + begin, ds + begin);
    if (shape.soft_cap != 0) kernels.soft_cap_gradient(n, shape.soft_cap, capped, ds + begin);
    kernels.scale(n, shape.scale, ds + begin, ds + begin);
    for (float* row : {p, ds}) {
      std::fill(row, row + begin, 0.0f);
      std::fill(row + end, row + m_.keys, 0.0f);
    }
  }

  const GradientCall& call_;
  const Sequence& sequence_;
  std::int64_t head_;
  const HeadMemory& m_;
};

// A sequence with rows.
struct SequenceWork {
  const Sequence* sequence = nullptr;
  std::int64_t seen = 0;  // keys
  std::vector<KeyRange> ranges{};

  std::int64_t lanes(const GradientCall& call) const { return sequence->rows * call.group; }
};

// In groups of those that add to the same keys.
std::vector<std::vector<SequenceWork>> group_sequences(std::span<const Sequence> sequences,
                                                       std::span<const Sequence> keys, std::int64_t key_rows) {
  std::vector<std::vector<SequenceWork>> of_writer(keys.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& s = sequences[i];
    if (s.rows == 0) continue;
    const std::int64_t seen = s.visible(s.position + s.rows - 1);
    check_shape(keys[i].position + keys[i].rows >= seen && keys[i].row + keys[i].rows <= key_rows,
                "attention_gradient: expected the rows of ", seen, " keys, got ", keys[i].rows, " from position ",
                keys[i].position, " on");
    const std::size_t writer = writer_of(keys, i);
    of_writer[writer].push_back({&s, seen, key_tasks(keys[i], keys[writer], seen)});
  }
  std::erase_if(of_writer, [](const std::vector<SequenceWork>& group) { return group.empty(); });
  return of_writer;
}

}  // namespace

void CpuBackend::attention_gradient(ConstView q, const KvCache& cache, std::int64_t layer,
                                    std::span<const Sequence> sequences, std::span<const Sequence> keys,
                                    const AttentionShape& shape, ConstView dy, View dq, View dk, View dv,
                                    Precision precision) {
  check_attention(q, cache, layer, shape, dy);
  check_sequences(sequences, cache, q.rows);
  check_same(dq, q, "attention_gradient");
  check_same(dk, dv, "attention_gradient");
  check_shape(keys.size() == sequences.size() && dk.cols == shape.kv_heads * shape.head_size,
              "attention_gradient: expected keys of ", sequences.size(), " sequences, ", shape.kv_heads, " x ",
              shape.head_size, ", got ", keys.size(), " and ", dk.cols);
  if (precision == Precision::int8) precision = Precision::bf16;
  const DType as = precision == Precision::f32 ? DType::f32 : DType::bf16;
  const GradientCall call{.q = q,
                          .dy = dy,
                          .dq = dq,
                          .dk = dk,
                          .dv = dv,
                          .cache = cache,
                          .layer = layer,
                          .shape = shape,
                          .kernels = kernels_,
                          .by_cache = {product(precision, cache.dtype), cache.dtype, precision},
                          .by_rows = {product(precision, as), as, precision}};
  const auto groups = group_sequences(sequences, keys, dk.rows);
  std::size_t head_bytes = 0, task_bytes = 0;
  for (const auto& group : groups)
    for (const SequenceWork& work : group) {
      Parts count(nullptr);
      HeadMemory(count, call, work.lanes(call), work.seen);
      head_bytes = std::max(head_bytes, std::size_t(round_up(std::int64_t(count.bytes()), 64)));
      task_bytes = std::max(task_bytes, std::size_t(HeadGradient::floats(call, work.seen)) * sizeof(float));
    }
  const auto run = [&](const SequenceWork& work, std::int64_t head, std::byte* memory, const auto& each) {
    Parts parts(memory);
    const HeadMemory own(parts, call, work.lanes(call), work.seen);
    HeadGradient(call, *work.sequence, head, own).run(work.ranges, each);
  };
  if (HeadGradients::apart(std::ssize(groups) * shape.kv_heads, pool_.threads(), std::int64_t(head_bytes))) {
    for (Scratch& scratch : of_thread_) scratch.reserve(head_bytes + task_bytes);
    return pool_.run(std::ssize(groups) * shape.kv_heads, [&](std::int64_t i, int thread) {
      std::byte* memory = of_thread_[std::size_t(thread)].reserve(0);
      const auto alone = [&](std::int64_t count, const auto& task) {
        for (std::int64_t j = 0; j < count; ++j) task(j, reinterpret_cast<float*>(memory + head_bytes));
      };
      for (const SequenceWork& work : groups[std::size_t(i / shape.kv_heads)])
        run(work, i % shape.kv_heads, memory, alone);
    });
  }
  std::byte* memory = shared_.reserve(head_bytes);
  for (Scratch& scratch : of_thread_) scratch.reserve(task_bytes);
  const auto together = [&](std::int64_t count, const auto& task) {
    pool_.run(count, [&](std::int64_t j, int thread) {
      task(j, reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0)));
    });
  };
  for (const auto& group : groups)
    for (const SequenceWork& work : group)
      for (std::int64_t head = 0; head < shape.kv_heads; ++head) run(work, head, memory, together);
}

}  // namespace paligemma
