// Batch invariance, bit for bit: what a row gives depends on the row alone, whatever runs beside it, in how many calls,
// on how many threads, and wherever its keys lie.
#include "fixture.h"

namespace paligemma {
namespace {

class InvarianceTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, InvarianceTest, ::testing::ValuesIn(tables_to_test()), table_name);

struct Mode {
  DType type;
  Precision precision;
};
constexpr Mode kModes[] = {
    {DType::f32, Precision::f32},   {DType::f32, Precision::bf16}, {DType::bf16, Precision::f32},
    {DType::bf16, Precision::bf16}, {DType::q8, Precision::f32},   {DType::q4, Precision::bf16},
    {DType::q8, Precision::int8},   {DType::q4, Precision::int8},  {DType::int8, Precision::int8}};

constexpr std::pair<Mode, std::int64_t> kModesAndWindows[] = {
    {kModes[0], 0}, {kModes[1], 0}, {kModes[2], 0}, {kModes[3], 0}, {kModes[0], 33}, {kModes[3], 33}, {kModes[3], 70}};

// K beyond one block, odd, with edges; and small.
TEST_P(InvarianceTest, RowsOfLinearAndGatedGelu) {
  for (const Mode& mode : kModes) {
    for (const std::int64_t k : {17, 531}) {
      const std::int64_t n = 41, most = 65;
      const Weight w = place(backend, HostMatrix(n, k, DType::f32, numbers(n * k, 1)), mode.type);
      const Weight u = place(backend, HostMatrix(n, k, DType::f32, numbers(n * k, 2)), mode.type);
      const Weight bias = place_vector(backend, numbers(n, 3));
      Matrix x(most, k, 4u), one(most, n), gated_one(most, n);
      const auto run = [&](std::int64_t first, std::int64_t rows, View y, View gated) {
        const LinearPart part{&w, &bias, y};
        backend.linear(x.view().row_range(first, rows), {&part, 1}, mode.precision);
        backend.gated_gelu(x.view().row_range(first, rows), w, u, gated, mode.precision);
      };
      for (std::int64_t r = 0; r < most; ++r) run(r, 1, one.view().row_range(r, 1), gated_one.view().row_range(r, 1));
      for (std::int64_t rows = 1; rows <= most; ++rows) {
        Matrix y(rows, n), gated(rows, n);
        run(0, rows, y.view(), gated.view());
        ASSERT_TRUE(same_bits(y.view(), one.view().row_range(0, rows))) << rows << " rows of " << k;
        ASSERT_TRUE(same_bits(gated.view(), gated_one.view().row_range(0, rows))) << rows << " rows of " << k;
      }
    }
  }
}

// More rows than are prepared at once, and columns that other weights share the call with.
TEST_P(InvarianceTest, ManyRowsAndSeveralParts) {
  const std::int64_t k = 33, rows = 700;
  Matrix x(rows, k, 1u), y(rows, 70), z(rows, 19), one(1, 70);
  const Weight w = place(backend, HostMatrix(70, k, DType::f32, numbers(70 * k, 2)), DType::bf16);
  const Weight v = place(backend, HostMatrix(19, k, DType::f32, numbers(19 * k, 3)), DType::f32);
  const LinearPart parts[] = {{&v, nullptr, z.view()}, {&w, nullptr, y.view()}};
  backend.linear(x.view(), parts, Precision::bf16);
  for (const std::int64_t r : {0, 287, 288, 575, 576, 699}) {
    const LinearPart part{&w, nullptr, one.view()};
    backend.linear(x.view().row_range(r, 1), {&part, 1}, Precision::bf16);
    EXPECT_TRUE(same_bits(one.view(), y.view().row_range(r, 1))) << r;
  }
}

TEST_P(InvarianceTest, Threads) {
  const std::int64_t k = 300, n = 200, rows = 50;
  Matrix x(rows, k, 1u), keys(rows, 32, 4u);
  std::vector<std::unique_ptr<Matrix>> products, attended;
  for (const int threads : {1, 2, 3, 5}) {
    CpuBackend other(GetParam(), threads);
    const Weight w = place(other, HostMatrix(n, k, DType::f32, numbers(n * k, 2)), DType::bf16);
    products.push_back(std::make_unique<Matrix>(rows, n));
    const LinearPart part{&w, nullptr, products.back()->view()};
    other.linear(x.view(), {&part, 1}, Precision::bf16);
    other.rms_norm(products.back()->view(), place_vector(other, numbers(n, 3)), 1e-6f, products.back()->view());

    KvCache cache = other.make_kv_cache(1, 2, 16, 1, DType::f32);
    const std::int32_t block[] = {0};
    const Sequence s{.row = 0, .rows = rows, .position = 0, .prefix = 20, .blocks = block};
    other.kv_write(cache, 0, keys.view(), keys.view(), {&s, 1});
    attended.push_back(std::make_unique<Matrix>(rows, 64));
    other.attention(x.view().col_range(0, 64), cache, 0, {&s, 1}, {4, 2, 16, 0.25f, 0}, attended.back()->view(),
                    Precision::f32);
  }
  for (std::size_t i = 1; i < products.size(); ++i) {
    EXPECT_TRUE(same_bits(products[i]->view(), products[0]->view()));
    EXPECT_TRUE(same_bits(attended[i]->view(), attended[0]->view()));
  }
}

// One sequence of kRows positions, of which the first kPrefix see each other.
class AttentionRun {
 public:
  static constexpr std::int64_t kRows = 150, kPrefix = 70, kHeads = 6, kKvHeads = 2, kSize = 24;

  AttentionRun(CpuBackend& backend, const Mode& mode, std::int64_t window = 0) : backend_(backend), mode_(mode) {
    shape.window = window;
  }

  // Writes and attends rows [first, last), after those before, with the cache blocks of `blocks`.
  void step(KvCache& cache, std::int64_t first, std::int64_t last, std::span<const std::int32_t> blocks, View y) {
    const Sequence s{.row = 0, .rows = last - first, .position = first, .prefix = kPrefix, .blocks = blocks};
    backend_.kv_write(cache, 0, k.view().row_range(first, last - first), v.view().row_range(first, last - first),
                      {&s, 1});
    backend_.attention(q.view().row_range(first, last - first), cache, 0, {&s, 1}, shape,
                       y.row_range(first, last - first), mode_.precision);
  }
  KvCache cache(std::int64_t blocks) { return backend_.make_kv_cache(1, kKvHeads, kSize, blocks, mode_.type); }

  AttentionShape shape{kHeads, kKvHeads, kSize, 0.3f, 20};
  Matrix q{kRows, kHeads* kSize, 1u}, k{kRows, kKvHeads* kSize, 2u}, v{kRows, kKvHeads* kSize, 3u};

 private:
  CpuBackend& backend_;
  Mode mode_;
};

TEST_P(InvarianceTest, AttentionInOneGoInChunksAndTokenByToken) {
  for (const auto& [mode, window] : kModesAndWindows) {
    AttentionRun run(backend, mode, window);
    const std::int32_t in_order[] = {0, 1, 2}, shuffled[] = {4, 0, 3};
    Matrix whole(run.kRows, run.q.view().cols), chunks(run.kRows, run.q.view().cols),
        tokens(run.kRows, run.q.view().cols);
    KvCache a = run.cache(3), b = run.cache(5), c = run.cache(5);
    // What an earlier sequence left in the blocks is not seen, not even when it is not a number.
    Matrix rubbish(64, run.k.view().cols);
    for (std::int64_t r = 0; r < 64; ++r) std::fill_n(rubbish.view().row(r), run.k.view().cols, NAN);
    for (const std::int32_t block : shuffled) {
      const Sequence s{.row = 0, .rows = 64, .position = 0, .blocks = {&block, 1}};
      backend.kv_write(b, 0, rubbish.view(), rubbish.view(), {&s, 1});
      backend.kv_write(c, 0, rubbish.view(), rubbish.view(), {&s, 1});
    }
    run.step(a, 0, run.kRows, in_order, whole.view());
    run.step(b, 0, 70, shuffled, chunks.view());
    for (const auto& [first, last] : {std::pair{70, 71}, {71, 97}, {97, 150}}) {
      run.step(b, first, last, shuffled, chunks.view());
    }
    run.step(c, 0, 70, shuffled, tokens.view());
    for (std::int64_t r = 70; r < run.kRows; ++r) run.step(c, r, r + 1, shuffled, tokens.view());
    EXPECT_TRUE(same_bits(whole.view(), chunks.view()));
    EXPECT_TRUE(same_bits(whole.view(), tokens.view()));
  }
}

TEST_P(InvarianceTest, AttentionAloneAndWithNeighbours) {
  for (const auto& [mode, window] : kModesAndWindows) {
    AttentionRun run(backend, mode, window);
    const std::int32_t one[] = {0, 1, 2}, two[] = {3, 5}, three[] = {4};
    const std::int64_t width = run.q.view().cols;
    KvCache alone = run.cache(3), shared = run.cache(6);
    Matrix y(run.kRows, width), together(run.kRows + 101, width);
    run.step(alone, 0, run.kRows, one, y.view());
    Matrix q(run.kRows + 101, width, 7u), k(run.kRows + 101, run.k.view().cols, 8u),
        v(run.kRows + 101, run.k.view().cols, 9u);
    for (std::int64_t r = 0; r < run.kRows; ++r) {  // the rows of the one in the middle
      std::copy_n(run.q.view().row(r), width, q.view().row(100 + r));
      std::copy_n(run.k.view().row(r), run.k.view().cols, k.view().row(100 + r));
      std::copy_n(run.v.view().row(r), run.v.view().cols, v.view().row(100 + r));
    }
    const Sequence sequences[] = {{.row = 0, .rows = 100, .position = 0, .prefix = 90, .blocks = two},
                                  {.row = 100, .rows = run.kRows, .position = 0, .prefix = run.kPrefix, .blocks = one},
                                  {.row = 100 + run.kRows, .rows = 1, .position = 0, .prefix = 0, .blocks = three}};
    backend.kv_write(shared, 0, k.view(), v.view(), sequences);
    backend.attention(q.view(), shared, 0, sequences, run.shape, together.view(), mode.precision);
    EXPECT_TRUE(same_bits(y.view(), together.view().row_range(100, run.kRows)));
    // The one row that sees only itself gives its own value.
    for (std::int64_t i = 0; i < width; ++i) {
      const float value = v.at(100 + run.kRows, i / run.kSize / 3 * run.kSize + i % run.kSize);
      EXPECT_EQ(together.at(100 + run.kRows, i), mode.type == DType::bf16 ? round_to_bf16(value) : value);
    }
  }
}

}  // namespace
}  // namespace paligemma
