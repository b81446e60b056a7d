#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>

namespace paligemma {
namespace {

constexpr std::size_t kSmall = std::size_t{1} << 20;  // numbers of a tensor

double sum_of_squares(std::span<const float> values) {
  constexpr std::size_t kChains = 8;
  double sums[kChains] = {};
  std::size_t i = 0;
  for (; i + kChains <= values.size(); i += kChains)
    for (std::size_t j = 0; j < kChains; ++j) sums[j] += static_cast<double>(values[i + j]) * values[i + j];
  for (; i < values.size(); ++i) sums[i % kChains] += static_cast<double>(values[i]) * values[i];
  return std::accumulate(sums, sums + kChains, 0.0);
}

// In squares that stay in cache.
std::vector<float> turned_over(const std::vector<float>& matrix, std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kSquare = 16;
  std::vector<float> out(matrix.size());
  for (std::int64_t row = 0; row < rows; row += kSquare)
    for (std::int64_t col = 0; col < cols; col += kSquare)
      for (std::int64_t c = col; c < std::min(col + kSquare, cols); ++c)
        for (std::int64_t r = row; r < std::min(row + kSquare, rows); ++r)
          out[static_cast<std::size_t>(c * rows + r)] = matrix[static_cast<std::size_t>(r * cols + c)];
  return out;
}

bool is_zero(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return value == 0; });
}

}  // namespace

Optimizer::Optimizer(Parameters& parameters, Backend& backend, const OptimizerOptions& options)
    : parameters_(parameters), backend_(backend), options_(options), pool_(options.threads) {
  for (const Parameter& p : parameters.all()) {
    Moments moments;
    const bool two = options.kind != OptimizerKind::sgd && !by_muon(p);
    moments.first.resize(p.value.size());
    if (two) moments.second.resize(p.value.size());
    if (options.ema > 0) moments.average.assign(p.value.begin(), p.value.end());
    moments_.push_back(std::move(moments));
  }
  if (options.kind != OptimizerKind::muon || pool_.threads() == 1) return;
  for (int i = 0; i < pool_.threads(); ++i) alone_.push_back(make_cpu_backend({.threads = 1}));
}

StepResult Optimizer::step(const StepRates& rates) {
  const auto count = std::ssize(moments_);
  std::vector<double> squares(moments_.size());
  pool_.run(count, [&](std::int64_t i, int) {
    const auto at = static_cast<std::size_t>(i);
    squares[at] = sum_of_squares(parameters_.all()[at].gradient);
  });
  double all = 0, clipped = 0;
  for (std::size_t i = 0; i < squares.size(); ++i) {
    all += squares[i];
    if (!(options_.clip_adamw_only && by_muon(parameters_.all()[i]))) clipped += squares[i];
  }
  const StepResult result{std::sqrt(all), !std::isfinite(all)};
  if (result.skipped) return result;
  ++steps_;
  // torch's clip_grad_norm_.
  const double factor = options_.clip > 0 ? std::min(1.0, options_.clip / (std::sqrt(clipped) + 1e-6)) : 1;
  const auto is_small = [&](std::size_t i) { return parameters_.all()[i].value.size() <= kSmall; };
  std::vector<std::exception_ptr> errors(moments_.size());
  pool_.run(count, [&](std::int64_t i, int thread) {
    const auto at = static_cast<std::size_t>(i);
    if (!is_small(at)) return;
    try {
      Backend& own = alone_.empty() ? backend_ : *alone_[static_cast<std::size_t>(thread)];
      update(at, rates, static_cast<float>(factor), own);
    } catch (...) {
      errors[at] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  for (std::size_t i = 0; i < moments_.size(); ++i)
    if (!is_small(i)) update(i, rates, static_cast<float>(factor), backend_);
  return result;
}

void Optimizer::update(std::size_t i, const StepRates& rates, float factor, Backend& backend) {
  Parameter& p = parameters_.all()[i];
  Moments& moments = moments_[i];
  if (by_muon(p)) {
    if (is_zero(p.gradient) && is_zero(moments.first)) return;  // nothing has reached it yet, and no step would
    muon(p, moments, rates.lr, options_.clip_adamw_only ? 1 : factor, backend);
  } else if (options_.kind == OptimizerKind::sgd) {
    sgd(p, moments, rates.lr, factor);
  } else {
    adamw(p, moments, options_.kind == OptimizerKind::muon ? rates.lr_adamw : rates.lr, factor);
  }
  const auto rest = static_cast<float>(1 - options_.ema);
  for (std::size_t j = 0; j < moments.average.size(); ++j)
    moments.average[j] += rest * (p.value[j] - moments.average[j]);
}

void Optimizer::adamw(Parameter& p, Moments& moments, double lr, float scale) const {
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
  const auto keep = static_cast<float>(1 - lr * decay(p)), size = static_cast<float>(lr / correction1);
  const auto root = static_cast<float>(std::sqrt(correction2)), eps = static_cast<float>(options_.eps);
  const auto rest1 = static_cast<float>(1 - options_.beta1), rest2 = static_cast<float>(1 - options_.beta2);
  const auto beta2 = static_cast<float>(options_.beta2);
  float *value = p.value.data(), *m = moments.first.data(), *v = moments.second.data();
  const float* gradient = p.gradient.data();
  for (std::size_t i = 0; i < p.value.size(); ++i) {
    const float g = gradient[i] * scale;
    m[i] += rest1 * (g - m[i]);
    v[i] = beta2 * v[i] + rest2 * g * g;
    value[i] = value[i] * keep - size * (m[i] / (std::sqrt(v[i]) / root + eps));
  }
}

void Optimizer::sgd(Parameter& p, Moments& moments, double lr, float scale) const {
  const auto decay = static_cast<float>(this->decay(p)), rate = static_cast<float>(lr);
  const float momentum = steps_ == 1 ? 0 : static_cast<float>(options_.momentum);
  for (std::size_t i = 0; i < p.value.size(); ++i) {
    const float g = p.gradient[i] * scale + decay * p.value[i];
    moments.first[i] = momentum * moments.first[i] + g;
    p.value[i] -= rate * moments.first[i];
  }
}

// Nesterov's momentum, made orthogonal; the rate grows with the height of a matrix that is higher than wide.
void Optimizer::muon(Parameter& p, Moments& moments, double lr, float scale, Backend& backend) const {
  const std::int64_t rows = p.rows(), cols = p.cols();
  const auto momentum = static_cast<float>(options_.muon_momentum);
  std::vector<float> update(p.value.size());
  for (std::size_t i = 0; i < update.size(); ++i) {
    const float g = p.gradient[i] * scale;
    moments.first[i] += (1 - momentum) * (g - moments.first[i]);
    update[i] = g + momentum * (moments.first[i] - g);
  }
  orthogonalize(update, rows, cols, backend);
  const auto keep = static_cast<float>(1 - lr * decay(p));
  const auto rate =
      static_cast<float>(lr * std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(cols))));
  for (std::size_t i = 0; i < update.size(); ++i) p.value[i] = p.value[i] * keep - rate * update[i];
}

// Five steps of the Newton-Schulz iteration X <- a X + (b G + c G G) X with G = X X^T, where X is lower than wide. What
// is held is Y = X^T: G = Y^T Y is a sum over rows of Y, and as G is symmetric, Y <- a Y + Y (b G + c G^T G).
void Optimizer::orthogonalize(std::vector<float>& update, std::int64_t rows, std::int64_t cols,
                              Backend& backend) const {
  constexpr float a = 3.4445f, b = -4.7750f, c = 2.0315f;
  constexpr int kSteps = 5;
  const bool turn = rows < cols;
  const std::int64_t n = turn ? rows : cols, m = turn ? cols : rows;
  std::vector<float> y = turn ? turned_over(update, rows, cols) : std::move(update);
  const auto factor = static_cast<float>(1 / std::max(std::sqrt(sum_of_squares(y)), 1e-7));
  for (float& value : y) value *= factor;

  const auto side = static_cast<std::size_t>(n * n);
  std::vector<float> next(y.size()), gram(side), scaled(side), polynomial(side);
  const auto square = [n](std::vector<float>& of) { return View(of.data(), n, n); };
  Weight placed = backend.make_matrix(n, n, options_.precision == Precision::f32 ? DType::f32 : DType::bf16);
  for (int step = 0; step < kSteps; ++step) {
    const View from(y.data(), m, n);
    std::ranges::fill(gram, 0.0f);
    backend.linear_weight_gradient(from, from, square(gram), options_.precision);
    for (std::size_t i = 0; i < side; ++i) scaled[i] = c * gram[i], polynomial[i] = b * gram[i];
    backend.linear_weight_gradient(square(scaled), square(gram), square(polynomial), options_.precision);
    backend.place_rows(placed, 0, {DType::f32, {n, n}, std::as_bytes(std::span(polynomial))});
    for (std::size_t i = 0; i < y.size(); ++i) next[i] = a * y[i];
    const LinearPart part{&placed, nullptr, View(next.data(), m, n), true};
    backend.linear(from, {&part, 1}, options_.precision);
    std::swap(y, next);
  }
  update = turn ? turned_over(y, m, n) : std::move(y);
}

std::map<std::string, std::span<float>> Optimizer::state() {
  std::map<std::string, std::span<float>> out;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const std::string& name = parameters_.all()[i].name;
    if (!moments_[i].first.empty()) out[name + ".first"] = moments_[i].first;
    if (!moments_[i].second.empty()) out[name + ".second"] = moments_[i].second;
    if (!moments_[i].average.empty()) out[name + ".average"] = moments_[i].average;
  }
  return out;
}

void Optimizer::swap_with_average() {
  for (std::size_t i = 0; i < moments_.size(); ++i)
    std::ranges::swap_ranges(moments_[i].average, parameters_.all()[i].value.first(moments_[i].average.size()));
}

constexpr double kLevelShare = 0.4;  // of a trapezoid

double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t steps, std::int64_t warmup) {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double done =
      static_cast<double>(step - warmup) / static_cast<double>(std::max<std::int64_t>(1, steps - warmup));
  switch (schedule) {
    case Schedule::constant: return 1;
    case Schedule::cosine: return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
    case Schedule::linear: return std::max(0.0, 1 - done);
    case Schedule::trapezoid: return std::clamp((1 - done) / (1 - kLevelShare), 0.0, 1.0);
  }
  return 1;
}

}  // namespace paligemma
