// Gradients of norms, activations and tables. What is a sum over rows is cut along columns, so that it runs in the
// order of the rows; everything else row by row.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "base/random.h"

namespace paligemma {
namespace {

void check_sum(ConstView x, ConstView sum, const char* operation) {
  check_shape(sum.rows == 1 && sum.cols == x.cols, operation, ": expected sums (1, ", x.cols, "), got (", sum.rows,
              ", ", sum.cols, ")");
}

// By how much the logit of a target is above the mean of those that share what it counts.
float below_target(const float* logits, std::int32_t target, const SoftTargets::Shares& shared) {
  double sum = 0;
  for (std::size_t i = 0; i < shared.shares.size(); ++i)
    sum += double(shared.shares[i]) * (double(logits[target]) - double(logits[std::size_t(shared.first) + i]));
  return static_cast<float>(sum);
}

}  // namespace

void CpuBackend::bias_gradient(ConstView dy, View dbias) {
  check_sum(dy, dbias, "bias_gradient");
  for_columns(dy.cols, dy.rows, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = 0; r < dy.rows; ++r) kernels_.add(count, dy.row(r) + first, dbias.data + first);
  });
}

void CpuBackend::column_products(ConstView a, ConstView b, View sums) {
  check_same(a, b, "column_products");
  check_sum(a, sums, "column_products");
  for_columns(a.cols, a.rows, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = 0; r < a.rows; ++r)
      kernels_.multiply_add(count, a.row(r) + first, b.row(r) + first, sums.data + first);
  });
}

void CpuBackend::add_scaled(ConstView dy, float factor, View dx) {
  check_same(dy, dx, "add_scaled");
  for_rows(dx.rows, dx.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.add_scaled(dx.cols, factor, dy.row(r), dx.row(r));
  });
}

void CpuBackend::scale_columns(const Weight& scale, View dx) {
  check_sum(dx, scale.view(), "scale_columns");
  for_rows(dx.rows, dx.cols, [&](std::int64_t first, std::int64_t count) {
    const std::vector<float> none(std::size_t(dx.cols), 0.0f);
    for (std::int64_t r = first; r < first + count; ++r)
      kernels_.affine(dx.cols, scale.view().data, none.data(), dx.row(r));
  });
}

void CpuBackend::gelu_gradient(ConstView x, ConstView dy, View dx) {
  check_same(x, dx, "gelu_gradient");
  check_same(dy, dx, "gelu_gradient");
  for_rows(dx.rows, 8 * dx.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.gelu_gradient(x.cols, x.row(r), dy.row(r), dx.row(r));
  });
}

void CpuBackend::gated_gelu_gradient(ConstView gate, ConstView up, ConstView dy, View dgate, View dup) {
  for (const ConstView other : {gate, up, ConstView(dgate), ConstView(dup)})
    check_same(other, dy, "gated_gelu_gradient");
  for_rows(dy.rows, 12 * dy.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r)
      kernels_.gated_gelu_gradient(dy.cols, gate.row(r), up.row(r), dy.row(r), dgate.row(r), dup.row(r));
  });
}

void CpuBackend::dropout(View x, float rate, std::uint64_t seed) {
  const float factor = 1 / (1 - rate);
  for_rows(x.rows, 4 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      const std::uint64_t row_seed = splitmix64(seed, std::uint64_t(r));
      for (std::int64_t i = 0; i < x.cols; ++i) {
        float& value = x.row(r)[i];
        value = uniform(row_seed, std::uint64_t(i)) < double(rate) ? 0 : value * factor;
      }
    }
  });
}

void CpuBackend::soft_cap_gradient(ConstView y, float cap, View dx) {
  check_same(y, dx, "soft_cap_gradient");
  for_rows(dx.rows, 2 * dx.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) kernels_.soft_cap_gradient(dx.cols, cap, y.row(r), dx.row(r));
  });
}

// `one_row` is the kernel of the norm, which leaves a row's mean and gain for the gradient of the weight.
template <class Kernel>
void CpuBackend::norm_gradient(Kernel one_row, ConstView x, const Weight& weight, float eps, ConstView dy, View dx,
                               View dweight) {
  check_same(x, dx, "norm_gradient");
  check_same(dy, dx, "norm_gradient");
  check_sum(x, weight.view(), "norm_gradient");
  auto* statistics = reinterpret_cast<float*>(shared_.reserve(std::size_t(2 * x.rows) * sizeof(float)));
  for_rows(x.rows, 8 * x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r)
      one_row(x.cols, x.row(r), weight.view().data, eps, dy.row(r), dx.row(r), statistics + 2 * r);
  });
  if (dweight.rows == 0) return;
  check_sum(x, dweight, "norm_gradient");
  for_columns(x.cols, 2 * x.rows, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = 0; r < x.rows; ++r)
      kernels_.norm_weight_gradient(count, x.row(r) + first, statistics + 2 * r, dy.row(r) + first,
                                    dweight.data + first);
  });
}

void CpuBackend::layer_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight,
                                     View dbias) {
  norm_gradient(kernels_.layer_norm_gradient, x, weight, eps, dy, dx, dweight);
  if (dbias.rows > 0) bias_gradient(dy, dbias);
}

void CpuBackend::rms_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight) {
  norm_gradient(kernels_.rms_norm_gradient, x, weight, eps, dy, dx, dweight);
}

void CpuBackend::embed_gradient(std::span<const std::int32_t> ids, float scale, ConstView dy, View dtable) {
  check_shape(std::int64_t(ids.size()) == dy.rows && dy.cols == dtable.cols, "embed_gradient: expected ", dy.rows,
              " ids of width ", dy.cols, ", got ", ids.size(), " of width ", dtable.cols);
  for (const std::int32_t id : ids) {
    check_shape(id >= 0 && id < dtable.rows, "embed_gradient: expected an id below ", dtable.rows, ", got ", id);
  }
  for_columns(dy.cols, dy.rows, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = 0; r < dy.rows; ++r)
      kernels_.add_scaled(count, scale, dy.row(r) + first, dtable.row(ids[std::size_t(r)]) + first);
  });
}

void CpuBackend::cross_entropy(View logits, const CrossEntropy& of, std::span<float> losses) {
  const auto rows = std::size_t(logits.rows);
  check_shape(of.targets.size() == rows && of.weights.size() == rows && losses.size() == rows,
              "cross_entropy: expected ", rows, " targets, weights and losses, got ", of.targets.size(), ", ",
              of.weights.size(), ", ", losses.size());
  for (const std::int32_t target : of.targets) {
    check_shape(target >= 0 && target < logits.cols, "cross_entropy: expected a target below ", logits.cols, ", got ",
                target);
    const SoftTargets::Shares* shared = of.soft ? of.soft->find(target) : nullptr;
    check_shape(!shared || (shared->first >= 0 && shared->first + std::ssize(shared->shares) <= logits.cols),
                "cross_entropy: expected targets below ", logits.cols, " to share with");
  }
  for_rows(logits.rows, 8 * logits.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      const auto at = std::size_t(r);
      float* const row = logits.row(r);
      const std::int32_t target = of.targets[at];
      const SoftTargets::Shares* shared = of.soft ? of.soft->find(target) : nullptr;
      const float from_target = shared ? below_target(row, target, *shared) : 0;
      losses[at] = kernels_.cross_entropy(logits.cols, target, of.smoothing, of.weights[at], row);
      if (!shared) continue;
      losses[at] += (1 - of.smoothing) * from_target;
      const float whole = (1 - of.smoothing) * of.weights[at];
      row[target] += whole;
      for (std::size_t i = 0; i < shared->shares.size(); ++i)
        row[std::size_t(shared->first) + i] -= whole * shared->shares[i];
    }
  });
}

}  // namespace paligemma
