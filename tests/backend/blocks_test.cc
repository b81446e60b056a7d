// Weights in blocks of 8 and 4 bits: their places, their products, and what gguf's own package makes of the same
// numbers.
#include "fixture.h"
#include "support/golden.h"

namespace paligemma {
namespace {

class BlocksTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, BlocksTest, ::testing::ValuesIn(tables_to_test()), table_name);

constexpr DType kBlockTypes[] = {DType::q8, DType::q4, DType::int8};
constexpr DType kFileTypes[] = {DType::q8, DType::q4};

// Rows of random blocks as a file has them, and what they say. int8 is in no file: numbers that are whole multiples of
// a block's scale, of which one is the largest there can be.
struct BlockMatrix {
  BlockMatrix(DType type, std::int64_t rows, std::int64_t cols, unsigned seed)
      : type(type), rows(rows), cols(cols), length(block_length(type)), blocks((cols + length - 1) / length) {
    std::mt19937 random(seed);
    if (type == DType::int8) {
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t first = 0; first < cols; first += length) {
          scales.push_back(f16_to_f32(f32_to_f16(float(random() % 1000 + 1) / 1024)));
          for (std::int64_t i = 0; i < length; ++i) {
            integers.push_back(std::int8_t(i == 0 ? 127 : first + i < cols ? int(random() % 255) - 127 : 0));
            if (first + i < cols) numbers.push_back(scales.back() * integers.back());
          }
        }
      }
      const auto as_bytes = std::as_bytes(std::span(numbers));
      bytes.assign(as_bytes.begin(), as_bytes.end());
      return;
    }
    for (std::int64_t i = 0; i < rows * blocks; ++i) {
      const std::uint16_t scale = f32_to_f16(float(random() % 1000 + 1) / 1024);
      bytes.push_back(std::byte(scale & 0xff));
      bytes.push_back(std::byte(scale >> 8));
      scales.push_back(f16_to_f32(scale));
      std::int8_t block[kQuantBlock];
      for (std::int8_t& value : block) value = std::int8_t(type == DType::q8 ? random() % 256 : random() % 16 - 8);
      if (type == DType::q8) {
        for (const std::int8_t value : block) bytes.push_back(std::byte(value));
      } else {
        for (int j = 0; j < 16; ++j) bytes.push_back(std::byte((block[j] + 8) | (block[16 + j] + 8) << 4));
      }
      integers.insert(integers.end(), block, block + kQuantBlock);
    }
  }
  std::int64_t integer(std::int64_t row, std::int64_t k) const {
    return integers[std::size_t(row * blocks * length + k)];
  }
  float scale(std::int64_t row, std::int64_t block) const { return scales[std::size_t(row * blocks + block)]; }
  Weight place(Backend& backend) const {
    Weight weight = backend.make_matrix(rows, cols, type);
    backend.place_rows(weight, 0, {type == DType::int8 ? DType::f32 : type, {rows, cols}, bytes});
    return weight;
  }

  DType type;
  std::int64_t rows, cols, length, blocks;
  std::vector<std::byte> bytes{};
  std::vector<float> scales{}, numbers{};
  std::vector<std::int8_t> integers{};
};

// Activations are whole numbers up to this, of what makes the largest of their block that.
int levels(Precision precision) { return precision == Precision::int8 ? 127 : 32767; }

// The same product in plain integers: the sum of a block exact, and the blocks in a chain.
float in_integers(ConstView x, std::int64_t r, const BlockMatrix& w, std::int64_t n, Precision precision, float bias,
                  bool fused) {
  const auto most_whole = float(levels(precision));
  float sum = 0;
  for (std::int64_t block = 0; block < w.blocks; ++block) {
    const std::int64_t first = block * w.length, end = std::min(w.cols, first + w.length);
    float most = 0;
    for (std::int64_t k = first; k < end; ++k) most = std::max(most, std::fabs(x.row(r)[k]));
    std::int64_t dot = 0;
    for (std::int64_t k = first; k < end; ++k) {
      dot += std::llrint(x.row(r)[k] * (most > 0 ? most_whole / most : 0)) * w.integer(n, k);
    }
    const float scale = most / most_whole * w.scale(n, block);
    sum = fused ? std::fma(float(dot), scale, sum) : float(dot) * scale + sum;
  }
  return sum + bias;
}

TEST_P(BlocksTest, ProductIsThatOfPlainIntegers) {
  const std::string_view table = GetParam().name;
  const bool fused = table != "portable" && !table.ends_with("_emulated");
  for (const DType type : kBlockTypes) {
    for (const std::int64_t k : {1, 31, 32, 33, 72, 588, 2400, 4304}) {
      for (const std::int64_t rows : {1, 2, 7, 13, 40}) {
        const std::int64_t n = 16 * (k % 9) + 1 + rows;
        const BlockMatrix w(type, n, k, unsigned(k));
        const Weight weight = w.place(backend);
        const std::vector<float> bias = numbers(n, 3);
        const Weight bias_weight = place_vector(backend, bias);
        Matrix x(rows, k, 1u), y(rows, n);
        const LinearPart part{&weight, &bias_weight, y.view()};
        for (const Precision precision : {rows % 2 ? Precision::f32 : Precision::bf16, Precision::int8}) {
          backend.linear(x.view(), {&part, 1}, precision);
          EXPECT_TRUE(y.gaps_untouched());
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t j = 0; j < n; ++j) {
              ASSERT_EQ(y.at(r, j), in_integers(x.view(), r, w, j, precision, bias[std::size_t(j)], fused))
                  << name(type) << ", " << name(precision) << ", " << rows << " x " << k << " -> " << n << " at " << r
                  << ", " << j;
            }
          }
        }
      }
    }
  }
}

// Rounding the activations costs half a unit of 1/32767 or 1/127 of the largest of a block, for each of its elements.
void expect_dequantised(CpuBackend& backend, Precision precision) {
  for (const DType type : kBlockTypes) {
    const std::int64_t k = 1152, n = 50, rows = 9;
    const BlockMatrix w(type, n, k, 7);
    const Weight weight = w.place(backend);
    Matrix x(rows, k, 2u), y(rows, n);
    const LinearPart part{&weight, nullptr, y.view()};
    backend.linear(x.view(), {&part, 1}, precision);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0, absolute = 0, rounding = 0;
        for (std::int64_t i = 0; i < k; ++i) {
          const double b = double(w.scale(j, i / w.length)) * double(w.integer(j, i));
          sum += b * x.at(r, i);
          absolute += std::fabs(b * x.at(r, i));
          double most = 0;
          for (std::int64_t e = i / w.length * w.length; e < (i / w.length + 1) * w.length; ++e) {
            most = std::max(most, double(std::fabs(x.at(r, e))));
          }
          rounding += std::pow(b * most / levels(precision), 2) / 12;
        }
        ASSERT_NEAR(y.at(r, j), sum, 5 * std::sqrt(rounding) + product_tolerance(k / w.length) * absolute);
      }
    }
  }
}

TEST_P(BlocksTest, ProductIsThatOfTheDequantisedWeights) {
  expect_dequantised(backend, Precision::f32);
  expect_dequantised(backend, Precision::int8);
}

TEST_P(BlocksTest, NumbersThatAreNotFiniteStaySo) {
  for (const DType type : kBlockTypes) {
    const BlockMatrix w(type, 20, 96, 1);
    const Weight weight = w.place(backend);
    for (const float bad : {NAN, INFINITY}) {
      Matrix x(2, 96, 3u), y(2, 20);
      x.at(1, 40) = bad;
      const LinearPart part{&weight, nullptr, y.view()};
      for (const Precision precision : {Precision::f32, Precision::int8}) {
        backend.linear(x.view(), {&part, 1}, precision);
        for (std::int64_t j = 0; j < 20; ++j) {
          EXPECT_TRUE(std::isfinite(y.at(0, j)));
          EXPECT_FALSE(std::isfinite(y.at(1, j)));
        }
      }
    }
  }
}

TEST_P(BlocksTest, BlocksGoWhereTheyAreMeantToGo) {
  const BlockMatrix w(DType::q8, 16, 64, 1);
  const HostTensor blocks{DType::q8, {16, 64}, w.bytes};
  for (const DType type : {DType::q4, DType::int8, DType::bf16, DType::f32}) {
    Weight other = backend.make_matrix(16, 64, type);
    EXPECT_THROW(backend.place_rows(other, 0, blocks), Error) << name(type);
  }
  Weight narrow = backend.make_matrix(32, 32, DType::q8);
  EXPECT_THROW(backend.place_rows(narrow, 0, blocks), Error);
  EXPECT_THROW(backend.make_vector(blocks, 16, 64), Error);
}

TEST_P(BlocksTest, LongBlocksGiveBackWhatIsAMultipleOfTheirScale) {
  const BlockMatrix w(DType::int8, 20, 200, 3);
  const Weight weight = w.place(backend);
  std::vector<std::int32_t> ids;
  for (std::int32_t r = 0; r < w.rows; ++r) ids.push_back(r);
  Matrix y(w.rows, w.cols);
  backend.embed(weight, ids, 1, DType::f32, y.view());
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t i = 0; i < w.cols; ++i) ASSERT_EQ(y.at(r, i), w.numbers[std::size_t(r * w.cols + i)]);
  }
}

// Quantised here or there: the same blocks, the same numbers.
TEST_P(BlocksTest, BlocksAreThoseOfGguf) {
  const Safetensors file = test::golden_tensors("blocks/blocks.safetensors");
  const HostTensor given = file.tensors.at("values");
  const std::int64_t rows = given.shape[0], cols = given.shape[1];
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) ids[std::size_t(r)] = std::int32_t(r);
  for (const DType type : kFileTypes) {
    const std::string title(name(type));
    const std::vector<float> expected = test::values(file.tensors.at(title));
    const FileBytes theirs = FileBytes::map(test::golden("blocks/" + title + ".bin"), ErrorKind::failure);
    Weight ours = backend.make_matrix(rows, cols, type), copied = backend.make_matrix(rows, cols, type);
    backend.place_rows(ours, 0, given);
    backend.place_rows(copied, 0, {type, {rows, cols}, theirs.bytes()});
    EXPECT_EQ(std::memcmp(ours.storage.get(), copied.storage.get(), ours.bytes), 0) << title;
    Matrix y(rows, cols);
    backend.embed(ours, ids, 1, DType::f32, y.view());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < cols; ++i) ASSERT_EQ(y.at(r, i), expected[std::size_t(r * cols + i)]) << title;
    }
  }
}

}  // namespace
}  // namespace paligemma
