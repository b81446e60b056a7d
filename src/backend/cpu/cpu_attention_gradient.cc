// The gradient of attention, in f32. Probabilities are computed again, not kept from the forward pass.
//
// One kv head of one sequence at a time, in two phases. First the lanes (row, query head of the group) in tasks of
// some: probabilities P and the gradient dS of the scores, which give dq = dS K. Both are left turned over, (keys,
// lanes), for the second phase, whose tasks are keys: dv = P^T dy and dk = dS^T q.
#include <algorithm>
#include <cstring>

#include "backend/cpu/attention_cache.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/turned_panel.h"

namespace paligemma {
namespace {

constexpr std::int64_t kTaskLanes = 48, kTaskKeys = 48;

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

// Tiles of 16 x 16 of a panel of the cache, from element `k` of its inner axis on, as f32: [16 of k][16 rows], or
// turned over. What is read beyond the inner axis lies in the same head and is never used.
class CacheTiles {
 public:
  CacheTiles(DType type, const Kernels& kernels) : type_(type), kernels_(kernels) {}

  void copy(const std::byte* panel, std::int64_t k, float* out) const {
    const std::byte* from = panel + panel_data(k, type_);
    if (type_ == DType::f32) {
      std::memcpy(out, from, kPanel * kPanel * sizeof(float));
    } else {
      widen_pairs(reinterpret_cast<const std::uint16_t*>(from), out);
    }
  }
  void turn(const std::byte* panel, std::int64_t k, float* out) const {
    const std::byte* from = panel + panel_data(k, type_);
    if (type_ == DType::f32) {
      const auto* lines = reinterpret_cast<const float*>(from);
      for (std::int64_t r = 0; r < kPanel; ++r)
        for (std::int64_t c = 0; c < kPanel; ++c) out[r * kPanel + c] = lines[c * kPanel + r];
    } else {
      alignas(64) std::uint16_t turned[kPanel * kPanel];
      kernels_.turn_bf16(reinterpret_cast<const std::uint16_t*>(from), turned);
      widen_pairs(turned, out);
    }
  }

 private:
  DType type_;
  const Kernels& kernels_;
};

// What one head of one sequence needs between the phases; n lanes, s keys. Panels are as kernels.h wants them, with
// room for whole tiles.
struct HeadMemory {
  std::int64_t lanes, keys, size, width, whole_keys, turned_stride;
  float *q, *dy;                       // (lanes, H)
  float *k_rows, *v_rows, *k_columns;  // panels of 16 keys [H][16], and of 16 columns [keys][16]
  float *q_columns, *dy_columns;       // panels of 16 columns [lanes][16]
  float *turned_p, *turned_ds;         // (keys, lanes), of which each task has lines of its own

  HeadMemory(Parts& parts, std::int64_t lanes, std::int64_t keys, std::int64_t size)
      : lanes(lanes),
        keys(keys),
        size(size),
        width(round_up(size, kPanel)),
        whole_keys(round_up(keys, kPanel)),
        turned_stride((round_up(lanes, kPanel) / kPanel | 1) * kPanel),
        q(parts.take(lanes * size)),
        dy(parts.take(lanes * size)),
        k_rows(parts.take(whole_keys * width)),
        v_rows(parts.take(whole_keys * width)),
        k_columns(parts.take(width * whole_keys)),
        q_columns(parts.take(width * lanes)),
        dy_columns(parts.take(width * lanes)),
        turned_p(parts.take(keys * turned_stride)),
        turned_ds(parts.take(keys * turned_stride)) {}
};

// What all tasks of a call share.
struct GradientCall {
  ConstView q, dy;
  View dq, dk, dv;
  const KvCache& cache;
  std::int64_t layer;
  const AttentionShape& shape;
  const Kernels& kernels;
  CacheLayout layout{cache};
  std::int64_t group = shape.heads / shape.kv_heads;

  // Panels have `room` elements of k.
  void multiply(const float* a, std::int64_t a_stride, const float* panels, std::int64_t k, std::int64_t room, View c,
                bool accumulate) const {
    kernels.product[0][0].run({.a = a,
                               .a_stride = a_stride,
                               .b = panels,
                               .b_stride = room * kPanel * std::int64_t(sizeof(float)),
                               .c = c.data,
                               .c_stride = c.stride,
                               .rows = c.rows,
                               .columns = c.cols,
                               .k = k,
                               .accumulate = accumulate});
  }
};

// Keys of positions from `first` on, which rows from `row` on wrote.
struct KeyRange {
  std::int64_t first, count, row;
};

// The first `seen` keys of sequence i in pieces of a task, as attention_gradient() says.
std::vector<KeyRange> key_tasks(std::span<const Sequence> keys, std::size_t i, std::int64_t seen) {
  const Sequence& own = keys[i];
  const auto wrote_beginning = [&](const Sequence& other) {
    return other.position == 0 && other.rows >= own.position && !other.blocks.empty() &&
           other.blocks.front() == own.blocks.front();
  };
  std::vector<KeyRange> whole;
  if (own.position > 0) {
    const auto other = std::find_if(keys.begin(), keys.end(), wrote_beginning);
    check_shape(other != keys.end() && own.position % kKvBlockTokens == 0,
                "attention_gradient: expected a sequence that wrote the ", own.position, " keys before sequence ", i);
    whole.push_back({0, std::min(seen, own.position), other->row});
  }
  if (seen > own.position) whole.push_back({own.position, seen - own.position, own.row});
  std::vector<KeyRange> tasks;
  for (const KeyRange& range : whole)
    for (std::int64_t at = 0; at < range.count; at += kTaskKeys)
      tasks.push_back({range.first + at, std::min(kTaskKeys, range.count - at), range.row + at});
  return tasks;
}

class HeadGradient {
 public:
  HeadGradient(const GradientCall& call, const Sequence& sequence, std::int64_t head, const HeadMemory& memory)
      : call_(call), sequence_(sequence), head_(head), m_(memory) {}

  void gather_lanes(std::int64_t first_row, std::int64_t rows) const {
    const std::int64_t floats = call_.group * m_.size;  // of a row: its lanes lie together
    for (std::int64_t r = first_row; r < first_row + rows; ++r) {
      std::copy_n(call_.q.row(sequence_.row + r) + head_ * floats, floats, m_.q + r * floats);
      std::copy_n(call_.dy.row(sequence_.row + r) + head_ * floats, floats, m_.dy + r * floats);
    }
  }
  void gather_columns(std::int64_t column) const {
    const std::int64_t count = std::min(kPanel, m_.size - column);
    for (const auto& [from, to] : {std::pair{call_.q, m_.q_columns}, {call_.dy, m_.dy_columns}})
      for (std::int64_t lane = 0; lane < m_.lanes; ++lane) {
        const std::int64_t head = head_ * call_.group + lane % call_.group;
        std::copy_n(from.row(sequence_.row + lane / call_.group) + head * m_.size + column, count,
                    to + column * m_.lanes + lane * kPanel);
      }
  }
  // The 16 keys from `first` on.
  void gather_keys(std::int64_t first) const {
    const CacheLayout& layout = call_.layout;
    const CacheTiles tiles(layout.dtype, call_.kernels);
    const std::byte* block =
        head_of(call_.cache, layout, sequence_.blocks[std::size_t(first / kKvBlockTokens)], call_.layer, head_);
    const std::int64_t at = first % kKvBlockTokens;
    const std::byte* keys = block + at / kPanel * layout.key_panel;
    for (std::int64_t h = 0; h < m_.size; h += kPanel) {
      tiles.copy(keys, h, m_.k_rows + first * m_.width + h * kPanel);
      tiles.turn(keys, h, m_.k_columns + h * m_.whole_keys + first * kPanel);
      tiles.turn(block + layout.keys + h / kPanel * layout.value_panel, at, m_.v_rows + first * m_.width + h * kPanel);
    }
  }

  static std::int64_t lane_floats(std::int64_t keys) { return 3 * round_up(keys, kPanel); }

  // Lanes [first, first + count), which are whole rows; `memory` holds count * lane_floats().
  void run_lanes(std::int64_t first, std::int64_t count, float* memory) const {
    const std::int64_t stride = round_up(m_.keys, kPanel);
    float *p = memory, *ds = p + count * stride, *capped = ds + count * stride;
    call_.multiply(m_.q + first * m_.size, m_.size, m_.k_rows, m_.size, m_.width, {p, count, stride}, false);
    call_.multiply(m_.dy + first * m_.size, m_.size, m_.v_rows, m_.size, m_.width, {ds, count, stride}, false);
    for (std::int64_t i = 0; i < count; ++i)
      lane(sequence_.position + (first + i) / call_.group, p + i * stride, ds + i * stride, capped);
    turn_over(p, count, stride, m_.turned_p + first);
    turn_over(ds, count, stride, m_.turned_ds + first);
    for (std::int64_t g = 0; g < call_.group; ++g) {
      const View dq = call_.dq.row_range(sequence_.row + first / call_.group, count / call_.group)
                          .col_range((head_ * call_.group + g) * m_.size, m_.size);
      call_.multiply(ds + g * stride, call_.group * stride, m_.k_columns, m_.keys, m_.whole_keys, dq, true);
    }
  }

  void run_keys(const KeyRange& keys, bool values) const {
    const View sums = (values ? call_.dv : call_.dk).row_range(keys.row, keys.count);
    call_.multiply((values ? m_.turned_p : m_.turned_ds) + keys.first * m_.turned_stride, m_.turned_stride,
                   values ? m_.dy_columns : m_.q_columns, m_.lanes, m_.lanes, sums.col_range(head_ * m_.size, m_.size),
                   true);
  }

 private:
  // Lanes (count, keys) to (keys, lanes), line by line.
  void turn_over(const float* lanes, std::int64_t count, std::int64_t stride, float* turned) const {
    for (std::int64_t first = 0; first < m_.keys; first += kPanel)
      for (std::int64_t lane = 0; lane < count; lane += kPanel)
        for (std::int64_t s = first; s < std::min(first + kPanel, m_.keys); ++s)
          for (std::int64_t i = lane; i < std::min(lane + kPanel, count); ++i)
            turned[s * m_.turned_stride + i] = lanes[i * stride + s];
  }

  // Scores become probabilities, and the gradient of those becomes that of the scores; both 0 where nothing is seen.
  void lane(std::int64_t position, float* p, float* ds, float* capped) const {
    const Kernels& kernels = call_.kernels;
    const AttentionShape& shape = call_.shape;
    const std::int64_t begin = sequence_.first_visible(position, shape.window), end = sequence_.visible(position);
    const std::int64_t n = end - begin;
    kernels.scale(n, shape.scale, p + begin, p + begin);
    if (shape.soft_cap != 0) {
      kernels.soft_cap(n, shape.soft_cap, p + begin);
      std::copy_n(p + begin, n, capped);
    }
    const float sum = kernels.softmax(n, 1, 0, p + begin);
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

}  // namespace

void CpuBackend::attention_gradient(ConstView q, const KvCache& cache, std::int64_t layer,
                                    std::span<const Sequence> sequences, std::span<const Sequence> keys,
                                    const AttentionShape& shape, ConstView dy, View dq, View dk, View dv) {
  check_attention(q, cache, layer, shape, dy);
  check_sequences(sequences, cache, q.rows);
  check_same(dq, q, "attention_gradient");
  check_same(dk, dv, "attention_gradient");
  check_shape(keys.size() == sequences.size() && dk.cols == shape.kv_heads * shape.head_size,
              "attention_gradient: expected keys of ", sequences.size(), " sequences, ", shape.kv_heads, " x ",
              shape.head_size, ", got ", keys.size(), " and ", dk.cols);
  const GradientCall call{q, dy, dq, dk, dv, cache, layer, shape, kernels_};
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& s = sequences[i];
    if (s.rows == 0) continue;
    const std::int64_t seen = s.visible(s.position + s.rows - 1), lanes = s.rows * call.group;
    check_shape(keys[i].position + keys[i].rows >= seen && keys[i].row + keys[i].rows <= dk.rows,
                "attention_gradient: expected the rows of ", seen, " keys, got ", keys[i].rows, " from position ",
                keys[i].position, " on");
    const std::vector<KeyRange> tasks = key_tasks(keys, i, seen);
    Parts count(nullptr);
    HeadMemory(count, lanes, seen, shape.head_size);
    Parts parts(shared_.reserve(count.bytes()));
    const HeadMemory memory(parts, lanes, seen, shape.head_size);
    const std::int64_t in_task = std::max<std::int64_t>(1, kTaskLanes / call.group);  // rows
    for (Scratch& scratch : of_thread_)
      scratch.reserve(std::size_t(in_task * call.group * HeadGradient::lane_floats(seen)) * sizeof(float));
    for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
      const HeadGradient gradient(call, s, head, memory);
      const std::int64_t keys_16 = (seen + kPanel - 1) / kPanel, columns_16 = (shape.head_size + kPanel - 1) / kPanel;
      const std::int64_t lane_tasks = (s.rows + in_task - 1) / in_task;
      pool_.run(keys_16 + columns_16 + lane_tasks, [&](std::int64_t task, int) {
        if (task < keys_16) return gradient.gather_keys(task * kPanel);
        if ((task -= keys_16) < columns_16) return gradient.gather_columns(task * kPanel);
        const std::int64_t row = (task - columns_16) * in_task;
        gradient.gather_lanes(row, std::min(in_task, s.rows - row));
      });
      pool_.run(lane_tasks, [&](std::int64_t task, int thread) {
        const std::int64_t row = task * in_task, rows = std::min(in_task, s.rows - row);
        gradient.run_lanes(row * call.group, rows * call.group,
                           reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0)));
      });
      pool_.run(2 * std::ssize(tasks),
                [&](std::int64_t task, int) { gradient.run_keys(tasks[std::size_t(task / 2)], task % 2 == 0); });
    }
  }
}

}  // namespace paligemma
