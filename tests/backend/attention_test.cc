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
double worst_error(Matrix& q, Matrix& k, Matrix& v, Matrix& y, const Sequence& s, const Setting& setting, float scale) {
  const auto rounded = [](bool bf16, float x) { return double(bf16 ? round_to_bf16(x) : x); };
  const bool bf16_cache = setting.cache == DType::bf16, bf16 = setting.precision == Precision::bf16;
  const std::int64_t size = setting.head_size;
  double worst = 0;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t keys = s.visible(s.position + r);
    for (std::int64_t head = 0; head < setting.heads; ++head) {
      const std::int64_t kv = head / (setting.heads / setting.kv_heads);
      std::vector<double> p;
      double most = -1e300, score_error = 0, total = 0;
      for (std::int64_t key = 0; key < keys; ++key) {
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
        p.push_back(score);
      }
      for (double& x : p) total += x = std::exp(x - most);
      // bf16 rounds p by at most 2^-9, independently for each key.
      const double p_error = 2 * score_error + kActivationTolerance + (bf16 ? 0x1p-9 : 0);
      for (std::int64_t h = 0; h < size; ++h) {
        double sum = 0, absolute = 0;
        for (std::int64_t key = 0; key < keys; ++key) {
          const double product = p[std::size_t(key)] * rounded(bf16_cache, v.at(key, kv * size + h));
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
    const AttentionShape shape{setting.heads, setting.kv_heads, setting.head_size, scale, setting.soft_cap};
    // A prefix of 100 that sees itself, then 93 that see what came before.
    Matrix q(193, width, 1u), k(193, kv_width, 2u), v(193, kv_width, 3u), y(193, width);
    const Sequence s{.row = 0, .rows = 193, .position = 0, .prefix = 100, .blocks = blocks};
    backend.kv_write(cache, 1, k.view(), v.view(), {&s, 1});
    backend.attention(q.view(), cache, 1, {&s, 1}, shape, y.view(), setting.precision);
    EXPECT_TRUE(y.gaps_untouched());
    EXPECT_LT(worst_error(q, k, v, y, s, setting, scale), 1) << setting.head_size;
    EXPECT_GT(worst_error(q, v, k, y, s, setting, scale), 10) << "the measure tells k from v";
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
