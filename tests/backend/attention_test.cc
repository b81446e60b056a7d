// Attention over the cache against its definition in double.
#include "fixture.h"

namespace paligemma {
namespace {

class AttentionTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, AttentionTest, ::testing::ValuesIn(tables_to_test()), table_name);

struct Setting {
  std::int64_t heads, kv_heads, head_size;
  float soft_cap;
  DType cache;
  Precision precision;
};

// Largest error over what the roundings allow: of the scores, of the exponentials, of the mixing.
double worst_error(Matrix& q, Matrix& k, Matrix& v, Matrix& y, const Sequence& s, const Setting& setting,
                   const AttentionShape& shape) {
  const auto rounded = [](bool bf16, float x) { return double(bf16 ? round_to_bf16(x) : x); };
  const bool bf16_cache = setting.cache == DType::bf16, bf16 = setting.precision == Precision::bf16;
  const std::int64_t size = setting.head_size;
  const double scale = shape.scale;
  double worst = 0;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t p = s.position + r, keys = s.visible(p);
    const std::int64_t first = shape.window == 0 || p < s.prefix ? 0 : std::max<std::int64_t>(0, p + 1 - shape.window);
    for (std::int64_t head = 0; head < setting.heads; ++head) {
      const std::int64_t kv = head / (setting.heads / setting.kv_heads);
      std::vector<double> weights;
      double most = -1e300, score_error = 0, total = 0;
      for (std::int64_t key = first; key < keys; ++key) {
        double score = 0, absolute = 0;
        for (std::int64_t h = 0; h < size; ++h) {
          const double product =
              rounded(bf16, q.at(s.row + r, head * size + h)) * rounded(bf16_cache, k.at(key, kv * size + h));
          score += product, absolute += std::fabs(product);
        }
        score *= scale;
        if (setting.soft_cap > 0) score = setting.soft_cap * std::tanh(score / setting.soft_cap);
        score_error = std::max(score_error, absolute * scale * (product_tolerance(size) + kActivationTolerance));
        most = std::max(most, score);
        weights.push_back(score);
      }
      for (double& x : weights) total += x = std::exp(x - most);
      // bf16 rounds p by at most 2^-8, which few keys do not average out.
      const double p_error = 2 * score_error + kActivationTolerance + (bf16 ? 0x1p-8 : 0);
      for (std::int64_t h = 0; h < size; ++h) {
        double sum = 0, absolute = 0;
        for (std::int64_t key = first; key < keys; ++key) {
          const double product = weights[std::size_t(key - first)] * rounded(bf16_cache, v.at(key, kv * size + h));
          sum += product / total, absolute += std::fabs(product) / total;
        }
        const double allowed = absolute * (p_error + 2 * product_tolerance(keys));
        worst = std::max(worst, std::fabs(y.at(s.row + r, head * size + h) - sum) / allowed);
      }
    }
  }
  return worst;
}

TEST_P(AttentionTest, EqualsDefinition) {
  constexpr Setting kSettings[] = {
      {4, 4, 72, 0, DType::f32, Precision::f32},    {8, 1, 256, 0, DType::bf16, Precision::bf16},
      {8, 4, 32, 5, DType::f32, Precision::f32},    {4, 2, 16, 50, DType::bf16, Precision::f32},
      {2, 2, 24, 0, DType::f32, Precision::bf16},   {6, 2, 17, 2, DType::bf16, Precision::bf16},
      {3, 1, 128, 50, DType::bf16, Precision::bf16}};
  for (const Setting& setting : kSettings) {
    const std::int64_t width = setting.heads * setting.head_size, kv_width = setting.kv_heads * setting.head_size;
    const float scale = 1 / std::sqrt(float(setting.head_size));
    KvCache cache = backend.make_kv_cache(2, setting.kv_heads, setting.head_size, 7, setting.cache);
    const std::int32_t blocks[] = {5, 0, 3, 6};
    AttentionShape shape{setting.heads, setting.kv_heads, setting.head_size, scale, setting.soft_cap};
    // A prefix of 100 that sees itself, then 93 that see what came before.
    Matrix q(193, width, 1u), k(193, kv_width, 2u), v(193, kv_width, 3u), y(193, width);
    const Sequence s{.row = 0, .rows = 193, .position = 0, .prefix = 100, .blocks = blocks};
    backend.kv_write(cache, 1, k.view(), v.view(), {&s, 1});
    // None, within a block, a block, and one that reaches over two.
    for (const std::int64_t window : {0, 7, 64, 90}) {
      shape.window = window;
      backend.attention(q.view(), cache, 1, {&s, 1}, shape, y.view(), setting.precision);
      EXPECT_TRUE(y.gaps_untouched());
      EXPECT_LT(worst_error(q, k, v, y, s, setting, shape), 1) << setting.head_size << " window " << window;
      EXPECT_GT(worst_error(q, v, k, y, s, setting, shape), 10) << "the measure tells k from v";
    }
  }
}

// A copied block is read as the one it was copied from, and no longer changes with it.
TEST_P(AttentionTest, CopiesOfBlocks) {
  for (const DType type : {DType::f32, DType::bf16}) {
    KvCache cache = backend.make_kv_cache(2, 2, 17, 5, type);
    const AttentionShape shape{2, 2, 17, 0.3f, 0};
    Matrix q(40, 34, 1u), k(40, 34, 2u), v(40, 34, 3u), other(40, 34, 4u), y(40, 34), of_copy(40, 34);
    const std::int32_t from[] = {3}, to[] = {1};
    const Sequence s{.row = 0, .rows = 40, .position = 0, .prefix = 40, .blocks = from};
    const Sequence copy{.row = 0, .rows = 40, .position = 0, .prefix = 40, .blocks = to};
    for (const std::int64_t layer : {0, 1}) backend.kv_write(cache, layer, k.view(), v.view(), {&s, 1});
    backend.kv_copy(cache, 3, 1);
    for (const std::int64_t layer : {0, 1}) {
      backend.attention(q.view(), cache, layer, {&s, 1}, shape, y.view(), Precision::f32);
      backend.kv_write(cache, layer, other.view(), other.view(), {&s, 1});
      backend.attention(q.view(), cache, layer, {&copy, 1}, shape, of_copy.view(), Precision::f32);
      EXPECT_TRUE(same_bits(y.view(), of_copy.view()));
    }
    EXPECT_THROW(backend.kv_copy(cache, 5, 1), Error);
    EXPECT_THROW(backend.kv_copy(cache, 0, -1), Error);
  }
}

TEST_P(AttentionTest, RefusesWhatItCannotRead) {
  KvCache cache = backend.make_kv_cache(1, 1, 16, 2, DType::f32);
  Matrix q(65, 16, 1u), y(65, 16);
  const AttentionShape shape{1, 1, 16, 1, 0};
  const std::int32_t one[] = {0}, outside[] = {0, 2};
  for (const std::span<const std::int32_t> blocks :
       {std::span<const std::int32_t>(one), std::span<const std::int32_t>(outside)}) {
    const Sequence s{.row = 0, .rows = 65, .position = 0, .prefix = 0, .blocks = blocks};
    EXPECT_THROW(backend.kv_write(cache, 0, q.view(), q.view(), {&s, 1}), Error);
    EXPECT_THROW(backend.attention(q.view(), cache, 0, {&s, 1}, shape, y.view(), Precision::f32), Error);
  }
}

}  // namespace
}  // namespace paligemma
