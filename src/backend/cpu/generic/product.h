// The product of a few rows with panels of a matrix, over an operand policy `Op` that names the vector type, the
// element type of A, the elements of k in one step (`depth`, in `passes` multiply-adds) and the tile shapes.
// Internal linkage: see math.h.
#pragma once

#include <utility>

#include "backend/cpu/kernels.h"

namespace paligemma {
namespace {

// f32 panels [k][16].
template <class Vector>
struct F32Panels {
  using V = Vector;
  using A = float;
  static constexpr int depth = 1, passes = 1, bytes = 4;
  static constexpr bool widens = false;
  template <bool kTail>
  static V weights(const std::byte* b, int) {
    return V::load(reinterpret_cast<const float*>(b));
  }
  template <bool kTail>
  static V activation(const A* a, int) {
    return V::broadcast(*a);
  }
  static V multiply_add(V a, V b, V c) { return fma(a, b, c); }
};

// bf16 panels [k / 2][16][2], widened in registers.
template <class Vector>
struct Bf16Panels {
  using V = Vector;
  using A = float;
  static constexpr int depth = 2, passes = 2, bytes = 2;
  static constexpr bool widens = true;
  using Widened = F32Panels<Vector>;

  static void widen(const std::byte* b, std::int64_t k, float* wide) {
    const auto* pairs = reinterpret_cast<const std::uint16_t*>(b);
    for (std::int64_t i = 0; i < k; i += 2, pairs += 2 * kPanel, wide += 2 * kPanel) {
      for (int j = 0; j < kPanel; j += V::width) {
        V::load_even(pairs + 2 * j).store(wide + j);
        if (i + 1 < k) V::load_odd(pairs + 2 * j).store(wide + kPanel + j);
      }
    }
  }
  template <bool kTail>
  static V weights(const std::byte* b, int pass) {
    const auto* pairs = reinterpret_cast<const std::uint16_t*>(b);
    return pass == 0 ? V::load_even(pairs) : V::load_odd(pairs);
  }
  template <bool kTail>
  static V activation(const A* a, int pass) {
    return V::broadcast(a[pass]);
  }
  static V multiply_add(V a, V b, V c) { return fma(a, b, c); }
};

// kRows rows times kPanels panels, held in registers over all of k.
template <class Op, int kRows, int kPanels>
struct Tile {
  using V = typename Op::V;
  static constexpr int kVectors = kPanels * kPanel / V::width;  // of C in a row
  static constexpr int kInPanel = kPanel / V::width;

  // One step of k; the tail step has a single element of k.
  template <bool kTail>
  [[gnu::always_inline]] static inline void step(V (&sums)[kRows][kVectors], const typename Op::A* a,
                                                 std::ptrdiff_t a_stride, const std::byte* b, std::ptrdiff_t b_stride) {
#pragma GCC unroll 2
    for (int pass = 0; pass < (kTail ? 1 : Op::passes); ++pass) {
      V w[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        w[v] = Op::template weights<kTail>(
            b + (v / kInPanel) * b_stride + (v % kInPanel) * V::width * Op::bytes * Op::depth, pass);
      }
#pragma GCC unroll 32
      for (int r = 0; r < kRows; ++r) {
        const V x = Op::template activation<kTail>(a + r * a_stride, pass);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sums[r][v] = Op::multiply_add(x, w[v], sums[r][v]);
      }
    }
  }

  static void run(const Product& p, std::int64_t row, const std::byte* b, const float* bias, float* c,
                  std::ptrdiff_t c_stride) {
    const bool accumulate = p.accumulate;
    V sums[kRows][kVectors];
    const auto* a = static_cast<const typename Op::A*>(p.a) + row * p.a_stride;
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = accumulate ? V::load(c + r * c_stride + v * V::width) : V::broadcast(0);
      }
    }
    std::int64_t i = 0;
    for (; i + Op::depth <= p.k; i += Op::depth, b += kPanel * Op::depth * Op::bytes) {
      step<false>(sums, a + i, p.a_stride, b, p.b_stride);
    }
    if (i < p.k) step<true>(sums, a + i, p.a_stride, b, p.b_stride);
    if (bias != nullptr) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        const V add = V::load(bias + v * V::width);
#pragma GCC unroll 32
        for (int r = 0; r < kRows; ++r) sums[r][v] = sums[r][v] + add;
      }
    }
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sums[r][v].store(c + r * c_stride + v * V::width);
    }
  }
};

// Panels that will be wanted next, `bytes` of each.
struct Ahead {
  const std::byte* from;
  std::ptrdiff_t stride;
  std::int64_t panels, bytes;

  // The part [first, last) / all of it, into the second cache.
  void fetch(std::int64_t first, std::int64_t last, std::int64_t all) const {
    constexpr std::int64_t kLine = 64;
    if (from == nullptr) return;
    for (std::int64_t i = bytes * first / all / kLine * kLine; i < bytes * last / all; i += kLine) {
      for (std::int64_t j = 0; j < panels; ++j) __builtin_prefetch(from + j * stride + i, 0, 2);
    }
  }
};

constexpr std::int64_t kManyRows = 3;  // tiles of rows from which on panels are widened first
constexpr std::int64_t kWideK = 256;   // at most

// kMaxRows x kMaxPanels is the tile that fills the registers; fewer rows take up to kStreams panels at once, so that as
// many sums are under way and several streams of weights are read.
template <class Op, int kMaxRows, int kMaxPanels, int kStreams, template <class, int, int> class TileOf = Tile>
struct Tiles {
  using Run = void (*)(const Product&, std::int64_t row, const std::byte* b, const float* bias, float* c,
                       std::ptrdiff_t c_stride);
  static constexpr int panels_for(int rows) {
    int panels = kStreams;
    while (panels > 1 && panels * rows > kMaxRows * kMaxPanels) panels /= 2;
    return panels;
  }
  // Tiles of kPanels panels by rows - 1, where registers hold their sums.
  template <int kPanels, int... kRows>
  static Run pick(std::int64_t rows, std::integer_sequence<int, kRows...>) {
    static constexpr Run table[] = {choose<kRows + 1, kPanels>()...};
    return table[rows - 1];
  }
  template <int kRows, int kPanels>
  static constexpr Run choose() {
    if constexpr (kPanels == 1 || kPanels <= panels_for(kRows)) {
      return TileOf<Op, kRows, kPanels>::run;
    } else {
      return nullptr;
    }
  }
  static Run pick(std::int64_t rows, std::int64_t panels) {
    constexpr auto all = std::make_integer_sequence<int, kMaxRows>{};
    if constexpr (kStreams >= 8) {
      if (panels == 8) return pick<8>(rows, all);
    }
    if constexpr (kStreams >= 4) {
      if (panels == 4) return pick<4>(rows, all);
    }
    if constexpr (kStreams >= 2) {
      if (panels == 2) return pick<2>(rows, all);
    }
    return pick<1>(rows, all);
  }

  // One tile whose last panel may be only partly there.
  static void run_edge(Run run, const Product& p, std::int64_t row, std::int64_t rows, const std::byte* b,
                       const float* bias, float* c, std::int64_t columns) {
    float whole_bias[kPanel] = {};
    for (std::int64_t j = 0; bias != nullptr && j < columns; ++j) whole_bias[j] = bias[j];
    float whole[kMaxRows * kPanel] = {};
    for (std::int64_t r = 0; p.accumulate && r < rows; ++r) {
      for (std::int64_t j = 0; j < columns; ++j) whole[r * kPanel + j] = c[r * p.c_stride + j];
    }
    run(p, row, b, bias == nullptr ? nullptr : whole_bias, whole, kPanel);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < columns; ++j) c[r * p.c_stride + j] = whole[r * kPanel + j];
    }
  }

  // All rows times `panels` panels at b. Along the way `ahead` is fetched, a piece with each tile.
  static void run_rows(const Product& p, const std::byte* b, std::int64_t column, std::int64_t panels, Ahead ahead) {
    const std::int64_t left = p.columns - column;
    const float* bias = p.bias == nullptr ? nullptr : p.bias + column;
    for (std::int64_t row = 0; row < p.rows; row += kMaxRows) {
      const std::int64_t rows = p.rows - row < kMaxRows ? p.rows - row : kMaxRows;
      const Run tile = pick(rows, panels);
      float* c = p.c + row * p.c_stride + column;
      if (p.rows > kMaxRows) {
        ahead.fetch(row, row + rows, p.rows);
        for (std::int64_t r = row + kMaxRows; r < row + 2 * kMaxRows && r < p.rows; ++r) {
          for (std::int64_t j = 0; j < panels; ++j)
            __builtin_prefetch(p.c + r * p.c_stride + column + j * kPanel, 1, 3);
        }
      }
      if (left < kPanel) {
        run_edge(tile, p, row, rows, b, bias, c, left);
      } else {
        tile(p, row, b, bias, c, p.c_stride);
      }
    }
  }

  // Of a panel's k elements, without scales.
  static std::int64_t bytes_of(std::int64_t k) {
    if constexpr (requires { Op::piece_bytes; }) {
      return k / Op::piece * Op::piece_bytes;
    } else {
      return k * Op::bytes * kPanel;
    }
  }

  static void run(const Product& p) noexcept {
    const auto* b = static_cast<const std::byte*>(p.b);
    const std::int64_t step = p.rows <= kMaxRows ? panels_for(int(p.rows)) : kMaxPanels;
    const bool widen = Op::widens && p.rows >= kManyRows * kMaxRows && p.k <= kWideK;
    for (std::int64_t column = 0; column < p.columns;) {
      const std::int64_t left = p.columns - column;
      std::int64_t panels = step;
      while (panels > 1 && panels * kPanel > left) panels /= 2;
      const std::byte* next = left > panels * kPanel ? b + panels * p.b_stride : static_cast<const std::byte*>(p.next);
      const Ahead ahead{next, p.b_stride, panels, bytes_of(p.k)};
      if constexpr (Op::widens) {
        if (widen) run_widened(p, b, column, panels, ahead);
      }
      if (!widen) run_rows(p, b, column, panels, ahead);
      column += panels * kPanel;
      b += panels * p.b_stride;
    }
  }

  // With many rows it pays to widen the panels once, into the first cache.
  static void run_widened(const Product& p, const std::byte* b, std::int64_t column, std::int64_t panels, Ahead ahead) {
    alignas(64) float wide[kMaxPanels][kWideK * kPanel];
    for (std::int64_t j = 0; j < panels; ++j) Op::widen(b + j * p.b_stride, p.k, wide[j]);
    Product q = p;
    q.b_stride = sizeof wide[0];
    Tiles<typename Op::Widened, kMaxRows, kMaxPanels, kStreams>::run_rows(q, reinterpret_cast<const std::byte*>(wide),
                                                                          column, panels, ahead);
  }
};

}  // namespace
}  // namespace paligemma
