// The gradient of attention, in f32. Probabilities are computed again, not kept from the forward pass.
//
// One kv head of one sequence at a time, in two phases. First the lanes (row, query head of the group) in tasks of
// some: probabilities P and the gradient dS of the scores, which give dq = dS K. Both are left turned over, (keys,
// lanes), for the second phase, whose tasks are keys: dv = P^T dy and dk = dS^T q.
#include <algorithm>

#include "backend/cpu/attention_cache.h"
#include "backend/cpu/cpu_backend.h"

namespace paligemma {
namespace {

constexpr std::int64_t kTaskLanes = 48, kTaskKeys = 64;

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

// Rows (n, k) as panels of 16 rows.
void pack_rows(const float* rows, std::int64_t n, std::int64_t k, float* panels) {
  std::fill_n(panels, round_up(n, kPanel) * k, 0.0f);
  for (std::int64_t first = 0; first < n; first += kPanel)
    pack_panel(reinterpret_cast<const std::byte*>(rows + first * k), DType::f32, std::min(kPanel, n - first), k,
               reinterpret_cast<std::byte*>(panels + first * k), DType::f32);
}

// Rows (k, n) as panels of 16 columns.
void pack_columns(const float* rows, std::int64_t k, std::int64_t n, float* panels) {
  std::fill_n(panels, round_up(n, kPanel) * k, 0.0f);
  for (std::int64_t first = 0; first < n; first += kPanel)
    for (std::int64_t i = 0; i < k; ++i)
      std::copy_n(rows + i * n + first, std::min(kPanel, n - first), panels + first * k + i * kPanel);
}

// What one head of one sequence needs between the phases; n lanes, s keys.
struct HeadMemory {
  std::int64_t lanes, keys, size, width;
  float *q, *dy, *k, *v;               // (lanes, H), (lanes, H), (keys, H), (keys, H)
  float *k_rows, *v_rows, *k_columns;  // panels
  float *q_columns, *dy_columns;       // panels
  float *turned_p, *turned_ds;         // (keys, lanes)

  HeadMemory(Parts& parts, std::int64_t lanes, std::int64_t keys, std::int64_t size)
      : lanes(lanes),
        keys(keys),
        size(size),
        width(round_up(size, kPanel)),
        q(parts.take(lanes * size)),
        dy(parts.take(lanes * size)),
        k(parts.take(keys * size)),
        v(parts.take(keys * size)),
        k_rows(parts.take(round_up(keys, kPanel) * size)),
        v_rows(parts.take(round_up(keys, kPanel) * size)),
        k_columns(parts.take(width * keys)),
        q_columns(parts.take(width * lanes)),
        dy_columns(parts.take(width * lanes)),
        turned_p(parts.take(keys * lanes)),
        turned_ds(parts.take(keys * lanes)) {}
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

  void multiply(const float* a, std::int64_t a_stride, const float* panels, std::int64_t k, View c,
                bool accumulate) const {
    kernels.product[0][0].run({.a = a,
                               .a_stride = a_stride,
                               .b = panels,
                               .b_stride = k * kPanel * std::int64_t(sizeof(float)),
                               .c = c.data,
                               .c_stride = c.stride,
                               .rows = c.rows,
                               .columns = c.cols,
                               .k = k,
                               .accumulate = accumulate});
  }
};

class HeadGradient {
 public:
  HeadGradient(const GradientCall& call, const Sequence& sequence, std::int64_t first_key_row, std::int64_t head,
               const HeadMemory& memory)
      : call_(call), sequence_(sequence), first_key_row_(first_key_row), head_(head), m_(memory) {}

  void gather_lanes(std::int64_t first_row, std::int64_t rows) const {
    const std::int64_t floats = call_.group * m_.size;  // of a row: its lanes lie together
    for (std::int64_t r = first_row; r < first_row + rows; ++r) {
      std::copy_n(call_.q.row(sequence_.row + r) + head_ * floats, floats, m_.q + r * floats);
      std::copy_n(call_.dy.row(sequence_.row + r) + head_ * floats, floats, m_.dy + r * floats);
    }
  }
  void gather_keys(std::int64_t first, std::int64_t count) const {
    const CacheLayout& layout = call_.layout;
    for (std::int64_t s = first; s < first + count; ++s) {
      const std::byte* block =
          head_of(call_.cache, layout, sequence_.blocks[std::size_t(s / kKvBlockTokens)], call_.layer, head_);
      const std::int64_t at = s % kKvBlockTokens;
      unpack_elements(block + at / kPanel * layout.key_panel, layout.dtype, at % kPanel, m_.size, 0, m_.size,
                      m_.k + s * m_.size);
      for (std::int64_t h = 0; h < m_.size; ++h)
        unpack_elements(block + layout.keys + h / kPanel * layout.value_panel, layout.dtype, h % kPanel, kKvBlockTokens,
                        at, 1, m_.v + s * m_.size + h);
    }
  }
  void pack() const {
    pack_rows(m_.k, m_.keys, m_.size, m_.k_rows);
    pack_rows(m_.v, m_.keys, m_.size, m_.v_rows);
    pack_columns(m_.k, m_.keys, m_.size, m_.k_columns);
    pack_columns(m_.q, m_.lanes, m_.size, m_.q_columns);
    pack_columns(m_.dy, m_.lanes, m_.size, m_.dy_columns);
  }

  static std::int64_t lane_floats(std::int64_t keys) { return 3 * round_up(keys, kPanel); }

  // Lanes [first, first + count), which are whole rows; `memory` holds count * lane_floats().
  void run_lanes(std::int64_t first, std::int64_t count, float* memory) const {
    const std::int64_t stride = round_up(m_.keys, kPanel);
    float *p = memory, *ds = p + count * stride, *capped = ds + count * stride;
    call_.multiply(m_.q + first * m_.size, m_.size, m_.k_rows, m_.size, {p, count, stride}, false);
    call_.multiply(m_.dy + first * m_.size, m_.size, m_.v_rows, m_.size, {ds, count, stride}, false);
    for (std::int64_t i = 0; i < count; ++i)
      lane(sequence_.position + (first + i) / call_.group, p + i * stride, ds + i * stride, capped);
    for (std::int64_t s = 0; s < m_.keys; ++s) {
      for (std::int64_t i = 0; i < count; ++i) {
        m_.turned_p[s * m_.lanes + first + i] = p[i * stride + s];
        m_.turned_ds[s * m_.lanes + first + i] = ds[i * stride + s];
      }
    }
    for (std::int64_t g = 0; g < call_.group; ++g) {
      const View dq = call_.dq.row_range(sequence_.row + first / call_.group, count / call_.group)
                          .col_range((head_ * call_.group + g) * m_.size, m_.size);
      call_.multiply(ds + g * stride, call_.group * stride, m_.k_columns, m_.keys, dq, true);
    }
  }

  void run_keys(std::int64_t first, std::int64_t count) const {
    const auto rows = [&](View all) {
      return all.row_range(first_key_row_ + first, count).col_range(head_ * m_.size, m_.size);
    };
    call_.multiply(m_.turned_p + first * m_.lanes, m_.lanes, m_.dy_columns, m_.lanes, rows(call_.dv), true);
    call_.multiply(m_.turned_ds + first * m_.lanes, m_.lanes, m_.q_columns, m_.lanes, rows(call_.dk), true);
  }

 private:
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
  std::int64_t first_key_row_, head_;
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
    check_shape(keys[i].position == 0 && keys[i].rows >= seen && keys[i].row + keys[i].rows <= dk.rows,
                "attention_gradient: expected the rows of ", seen, " keys from position 0 on, got ", keys[i].rows,
                " from ", keys[i].position, " on");
    Parts count(nullptr);
    HeadMemory(count, lanes, seen, shape.head_size);
    Parts parts(shared_.reserve(count.bytes()));
    const HeadMemory memory(parts, lanes, seen, shape.head_size);
    const std::int64_t in_task = std::max<std::int64_t>(1, kTaskLanes / call.group);  // rows
    for (Scratch& scratch : of_thread_)
      scratch.reserve(std::size_t(in_task * call.group * HeadGradient::lane_floats(seen)) * sizeof(float));
    for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
      const HeadGradient gradient(call, s, keys[i].row, head, memory);
      for_rows(s.rows, call.group * shape.head_size,
               [&](std::int64_t first, std::int64_t rows) { gradient.gather_lanes(first, rows); });
      for_rows(seen, 8 * shape.head_size,
               [&](std::int64_t first, std::int64_t rows) { gradient.gather_keys(first, rows); });
      gradient.pack();
      pool_.run((s.rows + in_task - 1) / in_task, [&](std::int64_t task, int thread) {
        const std::int64_t row = task * in_task, rows = std::min(in_task, s.rows - row);
        gradient.run_lanes(row * call.group, rows * call.group,
                           reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0)));
      });
      pool_.run((seen + kTaskKeys - 1) / kTaskKeys, [&](std::int64_t task, int) {
        gradient.run_keys(task * kTaskKeys, std::min(kTaskKeys, seen - task * kTaskKeys));
      });
    }
  }
}

}  // namespace paligemma
