// Gradients against derivatives of the functions' definitions in double: by a complex step, which has no difference of
// two near numbers in it, where the definition is not linear.
#include <array>
#include <complex>
#include <functional>
#include <list>

#include "gradient_fixture.h"

namespace paligemma {
namespace {

class GradientTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, GradientTest, ::testing::ValuesIn(tables_to_test()), table_name);

using Complex = std::complex<double>;
using Numbers = std::vector<Complex>;

// d(sum of dy f(x)) / dx[i] for all i.
std::vector<double> derivatives(const std::vector<float>& x, const std::vector<float>& dy,
                                const std::function<Numbers(const Numbers&)>& f) {
  constexpr double kStep = 1e-30;
  Numbers at(x.begin(), x.end());
  std::vector<double> out;
  for (Complex& value : at) {
    value += Complex(0, kStep);
    const Numbers y = f(at);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i].imag() / kStep;
    out.push_back(sum);
    value = value.real();
  }
  return out;
}

Complex gelu_of(Complex x) { return x / (1.0 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

constexpr std::int64_t kWidths[] = {1, 3, 16, 17, 72, 130};
constexpr double kRowTolerance = 64 * kEpsilon;  // some sums of up to 130, one after the other

TEST_P(GradientTest, ActivationsAndCaps) {
  for (const std::int64_t n : kWidths) {
    const std::int64_t rows = 3;
    std::vector<float> x = numbers(rows * n, 1), up = numbers(rows * n, 2), dy = numbers(rows * n, 3);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= 3;
    std::vector<float> dx(x.size(), NAN);
    backend.gelu_gradient(view(x, rows), view(dy, rows), view(dx, rows));
    expect_added(dx,
                 derivatives(x, dy,
                             [](Numbers v) {
                               for (Complex& value : v) value = gelu_of(value);
                               return v;
                             }),
                 0, kRowTolerance);

    std::vector<float> dgate(x.size(), NAN), dup(x.size(), NAN);
    backend.gated_gelu_gradient(view(x, rows), view(up, rows), view(dy, rows), view(dgate, rows), view(dup, rows));
    expect_added(dgate,
                 derivatives(x, dy,
                             [&](Numbers v) {
                               for (std::size_t i = 0; i < v.size(); ++i) v[i] = gelu_of(v[i]) * double(up[i]);
                               return v;
                             }),
                 0, kRowTolerance);
    expect_added(dup,
                 derivatives(up, dy,
                             [&](Numbers v) {
                               for (std::size_t i = 0; i < v.size(); ++i) v[i] *= gelu_of(x[i]);
                               return v;
                             }),
                 0, kRowTolerance);

    std::vector<float> capped = x, dcap = dy;
    backend.soft_cap(view(capped, rows), 2.5f);
    backend.soft_cap_gradient(view(capped, rows), 2.5f, view(dcap, rows));
    expect_added(dcap,
                 derivatives(x, dy,
                             [](Numbers v) {
                               for (Complex& value : v) value = 2.5 * std::tanh(value / 2.5);
                               return v;
                             }),
                 0, kRowTolerance);
  }
}

Numbers norm_of(const Numbers& x, const Numbers& weight, const Numbers& bias, double eps, bool centred) {
  const std::size_t n = weight.size();
  Numbers y(x.size());
  for (std::size_t first = 0; first < x.size(); first += n) {
    Complex mean = 0, square = 0;
    for (std::size_t i = 0; centred && i < n; ++i) mean += x[first + i] / double(n);
    for (std::size_t i = 0; i < n; ++i) square += (x[first + i] - mean) * (x[first + i] - mean) / double(n);
    for (std::size_t i = 0; i < n; ++i)
      y[first + i] = (x[first + i] - mean) / std::sqrt(square + eps) * (weight[i] + (centred ? 0.0 : 1.0)) + bias[i];
  }
  return y;
}

TEST_P(GradientTest, Norms) {
  const double eps = 1e-3f;
  for (const std::int64_t n : kWidths) {
    const std::int64_t rows = 4;
    std::vector<float> x = numbers(rows * n, 4), dy = numbers(rows * n, 5);
    const std::vector<float> weight = numbers(n, 6), bias = numbers(n, 7);
    const Numbers x_c(x.begin(), x.end()), weight_c(weight.begin(), weight.end()), bias_c(bias.begin(), bias.end());
    const Weight w = place_vector(backend, weight);
    for (const bool centred : {true, false}) {
      if (centred && n == 1) continue;  // 0 = 0 / sqrt(eps)
      std::vector<float> dx(x.size(), 0.5f), dweight(std::size_t(n), 1.0f), dbias(std::size_t(n), 2.0f);
      if (centred) {
        backend.layer_norm_gradient(view(x, rows), w, float(eps), view(dy, rows), view(dx, rows), view(dweight, 1),
                                    view(dbias, 1));
        expect_added(dbias,
                     derivatives(bias, dy, [&](const Numbers& v) { return norm_of(x_c, weight_c, v, eps, centred); }),
                     2, kRowTolerance);
      } else {
        backend.rms_norm_gradient(view(x, rows), w, float(eps), view(dy, rows), view(dx, rows), view(dweight, 1));
      }
      expect_added(dx, derivatives(x, dy, [&](const Numbers& v) { return norm_of(v, weight_c, bias_c, eps, centred); }),
                   0.5f, kRowTolerance);
      expect_added(dweight,
                   derivatives(weight, dy, [&](const Numbers& v) { return norm_of(x_c, v, bias_c, eps, centred); }), 1,
                   kRowTolerance);
    }
  }
}

TEST_P(GradientTest, RopeTurnsBack) {
  for (const std::int64_t half : {1, 3, 8, 36}) {
    const std::int64_t heads = 3;
    Matrix x(7, heads * 2 * half, 6u), y(7, heads * 2 * half, 6u);
    const Sequence sequences[] = {{.row = 4, .rows = 3, .position = 100}, {.row = 0, .rows = 4, .position = 0}};
    backend.rope(y.view(), heads, sequences, 10000.0);
    backend.rope_gradient(y.view(), heads, sequences, 10000.0);  // a rotation's transposed is its inverse
    EXPECT_TRUE(y.gaps_untouched());
    for (std::int64_t r = 0; r < 7; ++r)
      for (std::int64_t i = 0; i < heads * 2 * half; ++i) EXPECT_NEAR(y.at(r, i), x.at(r, i), 16 * kEpsilon);
  }
}

TEST_P(GradientTest, CrossEntropy) {
  // The largest target shares what it counts with the first two.
  for (const auto& [n, smoothing, shared] : std::vector<std::tuple<std::int64_t, float, bool>>{
           {2, 0, false}, {5, 0.1f, false}, {17, 0, false}, {300, 0.1f, false}, {2, 0, true}, {17, 0.1f, true}}) {
    const std::int64_t rows = 3;
    std::vector<float> x = numbers(rows * n, 8);
    for (float& value : x) value *= 4;
    const std::vector<std::int32_t> targets = {0, std::int32_t(n - 1), std::int32_t(n / 2)};
    const std::vector<float> weights = {1, 0.25f, 0};
    const SoftTargets soft{.begin = targets[1], .of = {{.first = 0, .shares = {0.75f, 0.25f}}}};
    const auto share = [&](std::int64_t r, std::int64_t i) {
      const double whole = 1 - double(smoothing);
      if (shared && targets[std::size_t(r)] == targets[1]) return i == 0 ? 0.75 * whole : i == 1 ? 0.25 * whole : 0;
      return i == targets[std::size_t(r)] ? whole : 0;
    };
    const auto losses_of = [&](const Numbers& v) {
      Numbers losses;
      for (std::int64_t r = 0; r < rows; ++r) {
        Complex sum = 0, loss = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += std::exp(v[std::size_t(r * n + i)]);
        for (std::int64_t i = 0; i < n; ++i) {
          const double other = i == targets[std::size_t(r)] ? 0 : double(smoothing) / double(n - 1);
          loss += (share(r, i) + other) * (std::log(sum) - v[std::size_t(r * n + i)]);
        }
        losses.push_back(loss);
      }
      return losses;
    };
    const Numbers expected = losses_of(Numbers(x.begin(), x.end()));
    const std::vector<double> gradients = derivatives(x, weights, losses_of);
    std::vector<float> losses(3);
    backend.cross_entropy(view(x, rows), {targets, weights, smoothing, shared ? &soft : nullptr}, losses);
    for (std::size_t r = 0; r < 3; ++r) EXPECT_NEAR(losses[r], expected[r].real(), 1e-5 * expected[r].real());
    expect_added(x, gradients, 0, kRowTolerance);
  }
}

TEST_P(GradientTest, TablesAndSums) {
  const std::int64_t n = 37;
  std::vector<float> dy = numbers(4 * n, 9), other = numbers(4 * n, 10), table(5 * std::size_t(n), 0.5f);
  const std::int32_t ids[] = {3, 0, 3, 4};
  backend.embed_gradient(ids, 1.5f, view(dy, 4), view(table, 5));
  std::vector<double> expected(table.size(), 0.0);
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t i = 0; i < std::size_t(n); ++i)
      expected[std::size_t(ids[r]) * n + i] += 1.5 * double(dy[r * n + i]);
  expect_added(table, expected, 0.5f, 4 * kEpsilon);

  std::vector<float> sums(std::size_t(n), 1.0f), products(std::size_t(n), 2.0f), scaled = other;
  backend.bias_gradient(view(dy, 4), view(sums, 1));
  backend.column_products(view(dy, 4), view(other, 4), view(products, 1));
  backend.add_scaled(view(dy, 4), -2, view(scaled, 4));
  for (std::size_t i = 0; i < std::size_t(n); ++i) {
    double sum = 1, product = 2;
    for (std::size_t r = 0; r < 4; ++r) {
      sum += dy[r * n + i], product += double(dy[r * n + i]) * other[r * n + i];
      EXPECT_NEAR(scaled[r * n + i], other[r * n + i] - 2.0 * dy[r * n + i], 4 * kEpsilon * 4);
    }
    EXPECT_NEAR(sums[i], sum, 16 * kEpsilon);
    EXPECT_NEAR(products[i], product, 32 * kEpsilon);
  }
}

struct AttentionCase {
  std::int64_t heads, kv_heads, size;
  float cap;
  std::int64_t window;
  std::int64_t skipped;  // rows at the beginning of the first sequence without queries
  DType cache = DType::f32;
  bool continues = false;  // the second sequence goes on behind the first block of the first one
};

// Two sequences: operands, and derivatives of the definition, which take far longer than any kernel.
struct AttentionExample {
  explicit AttentionExample(const AttentionCase& one);

  AttentionCase c;
  AttentionShape shape{c.heads, c.kv_heads, c.size, 0.4f, c.cap, c.window};
  std::int64_t first_rows = c.skipped + 9, keys = first_rows + 4, q_rows = keys - c.skipped;
  std::array<std::int32_t, 4> blocks{3, 1, 2, 0};
  std::array<std::int32_t, 2> shared{3, 2};
  std::array<Sequence, 2> sequences, key_rows;
  std::vector<float> q = numbers(q_rows * c.heads * c.size, 16), dy = numbers(q_rows * c.heads * c.size, 17);
  std::vector<float> k = numbers(keys * c.kv_heads * c.size, 18), v = numbers(keys * c.kv_heads * c.size, 19);
  std::vector<double> of_q, of_k, of_v;

 private:
  Numbers forward(const Numbers& q_c, const Numbers& k_c, const Numbers& v_c) const;
};

AttentionExample::AttentionExample(const AttentionCase& one) : c(one) {
  const std::int64_t before = c.continues ? kKvBlockTokens : 0;
  Sequence second{.row = first_rows, .rows = 4, .position = before, .prefix = before + 3};
  second.blocks = c.continues ? std::span(shared) : std::span(blocks).subspan(2, 1);
  const std::span<const std::int32_t> of_first = std::span(blocks).first(2);
  key_rows = {Sequence{.row = 0, .rows = first_rows, .prefix = 5, .blocks = of_first}, second};
  second.row = 9;
  sequences = {Sequence{.row = 0, .rows = 9, .position = c.skipped, .prefix = 5, .blocks = of_first}, second};
  for (std::vector<float>* values : {&k, &v})
    for (float& value : *values) value = round_to(c.cache, value);
  const Numbers q_c(q.begin(), q.end()), k_c(k.begin(), k.end()), v_c(v.begin(), v.end());
  of_q = derivatives(q, dy, [&](const Numbers& x) { return forward(x, k_c, v_c); });
  of_k = derivatives(k, dy, [&](const Numbers& x) { return forward(q_c, x, v_c); });
  of_v = derivatives(v, dy, [&](const Numbers& x) { return forward(q_c, k_c, x); });
}

Numbers AttentionExample::forward(const Numbers& q_c, const Numbers& k_c, const Numbers& v_c) const {
  Numbers y(q_c.size(), 0.0);
  for (std::size_t i = 0; i < 2; ++i) {
    const Sequence& s = sequences[i];
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t h = 0; h < c.heads; ++h) {
        const std::size_t row = std::size_t((s.row + r) * c.heads + h) * c.size;
        const auto key = [&](std::int64_t p) {
          const std::int64_t row = p < key_rows[i].position ? p : key_rows[i].row + p - key_rows[i].position;
          return std::size_t(row * c.kv_heads + h / (c.heads / c.kv_heads)) * c.size;
        };
        const std::int64_t begin = s.first_visible(s.position + r, c.window), end = s.visible(s.position + r);
        Complex sum = 0;
        std::vector<Complex> p;
        for (std::int64_t at = begin; at < end; ++at) {
          Complex score = 0;
          for (std::int64_t e = 0; e < c.size; ++e) score += q_c[row + std::size_t(e)] * k_c[key(at) + std::size_t(e)];
          score *= double(0.4f);
          if (c.cap != 0) score = double(c.cap) * std::tanh(score / double(c.cap));
          p.push_back(std::exp(score));
          sum += p.back();
        }
        for (std::int64_t at = begin; at < end; ++at)
          for (std::int64_t e = 0; e < c.size; ++e)
            y[row + std::size_t(e)] += p[std::size_t(at - begin)] / sum * v_c[key(at) + std::size_t(e)];
      }
    }
  }
  return y;
}

// For the tests of all instruction sets. In place: sequences point to the blocks beside them.
const std::list<AttentionExample>& attention_examples() {
  static const std::list<AttentionExample> examples = [] {
    std::list<AttentionExample> made;
    for (const AttentionCase& c : {AttentionCase{2, 2, 5, 0, 0, 0},
                                   {4, 2, 8, 3, 0, 0},
                                   {3, 1, 24, 0, 3, 0},
                                   {2, 1, 16, 2, 0, 60},
                                   {2, 2, 5, 0, 0, 0, DType::bf16},
                                   {4, 2, 24, 3, 0, 0, DType::bf16},
                                   {2, 1, 16, 2, 0, 60, DType::bf16},
                                   {4, 2, 8, 3, 0, 60, DType::f32, true},
                                   {2, 1, 24, 0, 0, 62, DType::bf16, true}})
      made.emplace_back(c);
    return made;
  }();
  return examples;
}

TEST_P(GradientTest, Attention) {
  for (const AttentionExample& example : attention_examples()) {
    std::vector<float> q = example.q, k = example.k, v = example.v, dy = example.dy;
    const std::int64_t keys = example.keys, q_rows = example.q_rows;
    KvCache cache = backend.make_kv_cache(2, example.c.kv_heads, example.c.size, 4, example.c.cache);
    backend.kv_write(cache, 1, view(k, keys), view(v, keys), example.key_rows);
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      // An operand is rounded by at most 2^-9 of itself. On the way to dk there are q, k and dy, v in the scores and
      // their gradient, then that and q again; scores of some units move probabilities by as many times that.
      const double tolerance = precision == Precision::f32 ? 4 * kRowTolerance : 16 * 0x1p-9;
      std::vector<float> dq(q.size(), 0.5f), dk(k.size(), 1.0f), dv(v.size(), 2.0f);
      backend.attention_gradient(view(q, q_rows), cache, 1, example.sequences, example.key_rows, example.shape,
                                 view(dy, q_rows), view(dq, q_rows), view(dk, keys), view(dv, keys), precision);
      expect_added(dq, example.of_q, 0.5f, tolerance);
      expect_added(dk, example.of_k, 1, tolerance);
      expect_added(dv, example.of_v, 2, tolerance);
    }
  }
}

TEST_P(GradientTest, AttentionOnAnyThreads) {
  const AttentionShape shape{8, 4, 20, 0.2f, 3, 0};
  const std::int64_t rows = 150;  // several tasks of lanes and of keys
  const std::int32_t blocks[] = {2, 0, 1}, more[] = {2, 3};
  const Sequence whole{.row = 0, .rows = rows, .prefix = 100, .blocks = blocks};
  // Goes on behind its first block. A single thread takes head after head, several share the tasks of each.
  const Sequence behind{.row = rows, .rows = 7, .position = kKvBlockTokens, .prefix = 0, .blocks = more};
  const Sequence sequences[] = {whole, behind};
  const std::int64_t all_rows = rows + behind.rows;
  std::vector<float> q = numbers(all_rows * 160, 23), dy = numbers(all_rows * 160, 24);
  std::vector<float> k = numbers(all_rows * 80, 25), v = numbers(all_rows * 80, 26);
  KvCache cache = backend.make_kv_cache(1, 4, 20, 4, DType::bf16);
  backend.kv_write(cache, 0, view(k, all_rows), view(v, all_rows), sequences);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto compute = [&](CpuBackend& with) {
      std::vector<std::vector<float>> all = {std::vector<float>(q.size()), std::vector<float>(k.size()),
                                             std::vector<float>(v.size())};
      with.attention_gradient(view(q, all_rows), cache, 0, sequences, sequences, shape, view(dy, all_rows),
                              view(all[0], all_rows), view(all[1], all_rows), view(all[2], all_rows), precision);
      return all;
    };
    CpuBackend alone(GetParam(), 1), three(GetParam(), 3);
    const auto expected = compute(alone);
    EXPECT_EQ(compute(backend), expected);
    EXPECT_EQ(compute(three), expected);
  }
}

}  // namespace
}  // namespace paligemma
