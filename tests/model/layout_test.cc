// The tables of layout.h against their rules, and tensors in both forms of tests/golden/npz against each other.
#include "model/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "model/model_files.h"
#include "model/network.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma {
namespace {

using test::golden;
using ::testing::ElementsAre;

std::vector<std::byte> whole(const TensorSource& source, std::string_view name) {
  const auto bytes = source.rows(name, 0, source.shape(name)->at(0)).bytes;
  return {bytes.begin(), bytes.end()};
}

TEST(Axes, AreTakenApart) {
  const Axes axes = parse_axes("l1kdh -> (kh)d");
  EXPECT_EQ(axes.fixed, "l1");
  EXPECT_EQ(axes.file, "kdh");
  EXPECT_THAT(axes.tensor, ElementsAre("kh", "d"));
  EXPECT_FALSE(axes.as_in_file());
  EXPECT_TRUE(parse_axes("0pe -> pe").as_in_file());
}

// Every tensor of the network has its row in every format, for both families.
TEST(Layout, HasEveryTensor) {
  for (const bool gemma2 : {false, true})
    for (const Layout* layout : {&big_vision_layout(), &keras_layout()}) {
      std::multiset<std::string> rows;
      for (const LayoutRow& row : layout->rows)
        if (row.family == Family::both || (row.family == Family::gemma2) == gemma2) rows.insert(tensor_name(row, 0));
      Config config;
      config.vision.layers = config.decoder.layers = 1;
      config.decoder.gemma2 = gemma2;
      Network network(config);
      std::multiset<std::string> tensors;
      visit(network, config,
            [&](const std::string& name, Weight&, const Shape&, Weight::Form) { tensors.insert(name); });
      EXPECT_EQ(rows, tensors);
    }
}

// An array (2, 3) holds 0..5; its transpose read by rows.
TEST(Layout, GathersRows) {
  const float numbers[] = {0, 1, 2, 3, 4, 5};
  AxisSizes sizes;
  sizes['d'] = 2, sizes['f'] = 3;
  const Offsets where = offsets("fd", 1, "df", sizes);
  EXPECT_THAT(where.rows, ElementsAre(0, 1, 2));
  EXPECT_THAT(where.columns, ElementsAre(0, 3));
  float out[4];
  gather(std::as_bytes(std::span(numbers)).data(), where, 1, 2, 4, std::as_writable_bytes(std::span(out)).data());
  EXPECT_THAT(out, ElementsAre(1, 4, 2, 5));
}

class BothForms : public ::testing::TestWithParam<std::string> {};

// The Hugging Face form of the same set has 64 rows more in its embedding.
TEST_P(BothForms, HoldTheSameTensors) {
  const ModelFiles npz = open_model_files(golden("npz/" + GetParam() + "/model.npz"));
  const ModelFiles folder = open_model_files(golden("npz/" + GetParam() + "/hf"));
  EXPECT_EQ(npz.config.decoder.query_scale, folder.config.decoder.query_scale);
  EXPECT_EQ(npz.config.image_token, folder.config.image_token);
  Network network(npz.config);
  visit(network, npz.config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form) {
    ASSERT_EQ(npz.source.shape(name), shape) << name;
    const std::vector<std::byte> ours = whole(npz.source, name);
    std::vector<std::byte> theirs = whole(folder.source, name);
    if (name.ends_with("embed_tokens.weight")) theirs.resize(ours.size());
    EXPECT_EQ(ours, theirs) << name;
    const HostTensor row = npz.source.rows(name, shape[0] - 1, 1);
    EXPECT_TRUE(std::ranges::equal(row.bytes, std::span(ours).last(row.bytes.size()))) << name;
  });
}

INSTANTIATE_TEST_SUITE_P(Golden, BothForms, ::testing::Values("pg1", "pg2", "pg2_27b"),
                         [](const auto& info) { return info.param; });

// The arrays of a golden file, whose shapes a test may falsify.
ArrayStore golden_arrays() { return open_model_files(golden("npz/pg2/model.npz")).arrays; }

void expect_refused(const ArrayStore& arrays, std::string_view code, std::string_view part) {
  expect_error(ErrorKind::model, code, part, [&] { lay_out(big_vision_layout(), arrays); });
}

TEST(Layout, RefusesShapesThatDisagree) {
  const auto with = [](const char* name, std::vector<std::int64_t> shape) {
    ArrayStore arrays = golden_arrays();
    arrays.arrays.at(name).shape = std::move(shape);
    return arrays;
  };
  // As many values in all, cut into other heads.
  expect_refused(with("llm/layers/attn/q_einsum/w", {3, 12, 36, 6}), "tensor_shape", "as the head size");
  expect_refused(with("llm/layers/mlp/linear", {3, 36, 40}), "tensor_shape", "says 36 as the mlp size");
  expect_refused(with("llm/layers/attn/kv_einsum/w", {3, 3, 2, 36, 12}), "tensor_shape",
                 "expected 2 as the size of dimension 1, got 3");
  expect_refused(with("img/pos_embedding", {16, 24}), "tensor_shape", "expected 3 dimensions, got 2");
  expect_refused(with("llm/final_norm/scale", {0}), "tensor_shape", "is empty");
  ArrayStore many = golden_arrays();
  for (auto& [name, array] : many.arrays)
    if (name.starts_with("llm/layers/")) array.shape[0] = 1 << 30;
  expect_refused(many, "tensor_shape", "at most 1024 layers");
}

TEST(Layout, NamesWhatIsMissing) {
  ArrayStore arrays = golden_arrays();
  arrays.arrays.erase("llm/layers/mlp/linear");
  expect_refused(arrays, "tensor_missing", "expected an array llm/layers/mlp/linear, got none");
  arrays.others.emplace("llm/layers/mlp/linear", "<f8");
  expect_refused(arrays, "tensor_missing", "got one of the type <f8");
}

// Without the arrays that only Gemma 2 has it would be a Gemma 1.
TEST(Layout, TellsTheFamilyAlsoByArraysThatItCannotRead) {
  ArrayStore arrays = golden_arrays();
  const std::string name = "llm/layers/post_attention_norm/scale";
  arrays.arrays.erase(name);
  arrays.others.emplace(name, "<f8");
  expect_refused(arrays, "tensor_missing", "expected an array " + name + ", got one of the type <f8");
}

}  // namespace
}  // namespace paligemma
