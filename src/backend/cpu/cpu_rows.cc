// Norms, activations and rope: each row by itself.
#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_backend.h"

namespace paligemma {
namespace {

void check_vector(const Weight& weight, std::int64_t cols, const char* operation) {
  check_shape(weight.form == Weight::Form::vector && weight.cols == cols, operation, ": expected a vector of ", cols,
              ", got ", weight.cols);
}

}  // namespace

void CpuBackend::gelu(ConstView x, View y) {
  check_same(x, y, "gelu");
  for_rows(x.rows, 8 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.gelu(x.cols, x.row(r), y.row(r));
  });
}

void CpuBackend::gated_gelu(ConstView gate, ConstView up, View y) {
  check_same(gate, y, "gated_gelu");
  check_same(up, y, "gated_gelu");
  for_rows(y.rows, 8 * y.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.gated_gelu(y.cols, gate.row(r), up.row(r), y.row(r));
  });
}

void CpuBackend::affine(const Weight& scale, const Weight& offset, View x) {
  check_vector(scale, x.cols, "affine");
  check_vector(offset, x.cols, "affine");
  for_rows(x.rows, x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      kernels_.affine(x.cols, scale.view().data, offset.view().data, x.row(r));
    }
  });
}

void CpuBackend::soft_cap(View x, float cap) {
  for_rows(x.rows, 8 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.soft_cap(x.cols, cap, x.row(r));
  });
}

void CpuBackend::copy(ConstView x, View y) {
  check_same(x, y, "copy");
  for_rows(x.rows, x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) std::copy_n(x.row(r), x.cols, y.row(r));
  });
}

void CpuBackend::zero(View x) {
  for_rows(x.rows, x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) std::fill_n(x.row(r), x.cols, 0.0f);
  });
}

void CpuBackend::add(ConstView a, View x) {
  check_same(a, x, "add");
  for_rows(x.rows, x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.add(x.cols, a.row(r), x.row(r));
  });
}

void CpuBackend::layer_norm(ConstView x, const Weight& weight, const Weight& bias, float eps, View y) {
  check_same(x, y, "layer_norm");
  check_vector(weight, x.cols, "layer_norm");
  check_vector(bias, x.cols, "layer_norm");
  for_rows(x.rows, 2 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      kernels_.layer_norm(x.cols, x.row(r), weight.view().data, bias.view().data, eps, y.row(r));
    }
  });
}

void CpuBackend::rms_norm(ConstView x, const Weight& weight, float eps, View y) {
  check_same(x, y, "rms_norm");
  check_vector(weight, x.cols, "rms_norm");
  for_rows(x.rows, 2 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      kernels_.rms_norm(x.cols, x.row(r), weight.view().data, eps, y.row(r));
    }
  });
}

// Fills angles_ unless it holds the answer.
void CpuBackend::find_angles(std::span<const Sequence> sequences, std::int64_t rows, std::int64_t half, double theta) {
  bool same = angle_theta_ == theta && angle_half_ == half && std::int64_t(angle_positions_.size()) == rows;
  angle_positions_.resize(std::size_t(rows), 0);
  for (const Sequence& sequence : sequences) {
    for (std::int64_t i = 0; i < sequence.rows; ++i) {
      std::int64_t& position = angle_positions_[std::size_t(sequence.row + i)];
      same = same && position == sequence.position + i;
      position = sequence.position + i;
    }
  }
  if (same) return;
  angle_theta_ = theta;
  angle_half_ = half;
  angles_.resize(std::size_t(rows * 2 * half));
  std::vector<double> frequencies(std::size_t(half), 0.0);
  for (std::int64_t i = 0; i < half; ++i) frequencies[std::size_t(i)] = std::pow(theta, -double(i) / double(half));
  for_rows(rows, 64 * half, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      float* cosine = angles_.data() + r * 2 * half;
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = double(angle_positions_[std::size_t(r)]) * frequencies[std::size_t(i)];
        cosine[i] = float(std::cos(angle));
        cosine[half + i] = float(std::sin(angle));
      }
    }
  });
}

// Calls turn(half, cosines, sines, values) for each head of each row.
template <class Turn>
void CpuBackend::turn_rows(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta, Turn turn) {
  const std::int64_t size = heads > 0 ? x.cols / heads : 0, half = size / 2;
  check_shape(heads > 0 && size * heads == x.cols && half * 2 == size, "rope: expected ", heads,
              " heads of an even size, got width ", x.cols);
  for (const Sequence& sequence : sequences) {
    check_shape(sequence.row >= 0 && sequence.rows >= 0 && sequence.rows <= x.rows - sequence.row,
                "rope: expected at most ", x.rows, " rows, got ", sequence.row, " + ", sequence.rows);
  }
  find_angles(sequences, x.rows, half, theta);
  for (const Sequence& sequence : sequences) {
    for_rows(sequence.rows, 2 * x.cols, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t r = sequence.row + first; r < sequence.row + first + count; ++r) {
        const float* cosine = angles_.data() + r * 2 * half;
        for (std::int64_t h = 0; h < heads; ++h) turn(half, cosine, cosine + half, x.row(r) + h * size);
      }
    });
  }
}

void CpuBackend::rope(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  turn_rows(x, heads, sequences, theta, kernels_.rotate);
}

void CpuBackend::rope_gradient(View dx, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  turn_rows(dx, heads, sequences, theta, kernels_.rotate_back);
}

}  // namespace paligemma
