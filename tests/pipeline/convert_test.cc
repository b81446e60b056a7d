// Conversions: every form into every other one and back, bit for bit against tests/golden/npz and tests/golden/keras,
// which transformers, big_vision and KerasHub wrote.
#include "convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zip.h>

#include <algorithm>
#include <map>

#include "inspect.h"
#include "io/hdf5.h"
#include "io/npz.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;
using test::Scratch;

std::vector<std::byte> whole(const TensorSource& source, std::string_view name) {
  const auto bytes = source.rows(name, 0, source.shape(name)->at(0)).bytes;
  return {bytes.begin(), bytes.end()};
}

constexpr std::string_view kEmbedding = "language_model.model.embed_tokens.weight";

// All of `smaller`'s tensors, of whose vocabulary `larger` may have more rows.
void expect_same_tensors(const ModelFiles& smaller, const ModelFiles& larger) {
  Network network(smaller.config);
  visit(network, smaller.config, [&](const std::string& name, Weight&, const Shape&, Weight::Form) {
    const std::vector<std::byte> ours = whole(smaller.source, name);
    std::vector<std::byte> theirs = whole(larger.source, name);
    if (name == kEmbedding) theirs.resize(ours.size());
    EXPECT_EQ(ours, theirs) << name;
  });
}

void expect_same_config(const Config& a, const Config& b) {
  EXPECT_EQ(a.decoder.query_scale, b.decoder.query_scale);
  EXPECT_EQ(a.decoder.final_cap, b.decoder.final_cap);
  EXPECT_EQ(a.decoder.attention_cap, b.decoder.attention_cap);
  EXPECT_EQ(a.decoder.eps, b.decoder.eps);
  EXPECT_EQ(a.vision.heads, b.vision.heads);
  EXPECT_EQ(a.image_token, b.image_token);
}

// The arrays of both files have the same names, types, shapes and bytes.
void expect_same_npz(const fs::path& ours, const fs::path& theirs) {
  const auto a = read_npz(FileBytes::map(ours, ErrorKind::failure), "a");
  const auto b = read_npz(FileBytes::map(theirs, ErrorKind::failure), "b");
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [name, array] : b) {
    ASSERT_TRUE(a.contains(name)) << name;
    EXPECT_EQ(a.at(name).tensor.dtype, array.tensor.dtype) << name;
    EXPECT_EQ(a.at(name).tensor.shape, array.tensor.shape) << name;
    EXPECT_EQ(a.at(name).storage, array.storage) << name;
  }
}

class Convert : public ::testing::TestWithParam<std::string> {
 protected:
  const Scratch scratch;
  const std::string folder = "npz/" + GetParam() + "/";

  std::string run(const fs::path& from, const std::string& name, Form to, std::optional<DType> weights = {}) const {
    fs::create_directories(fs::path(scratch.path(name)).parent_path());
    convert(open_model_files(from), scratch.path(name), {.to = to, .weights = weights});
    return scratch.path(name);
  }
};

TEST_P(Convert, FolderToNpzIsBigVisionsFile) {
  const std::string npz = run(golden(folder + "hf"), "a/m.npz", Form::big_vision);
  expect_same_npz(npz, golden(folder + "model.npz"));
  expect_same_config(open_model_files(npz).config, open_model_files(golden(folder + "model.npz")).config);
  expect_same_npz(run(npz, "b/m.npz", Form::big_vision, DType::bf16), golden(folder + "model.bf16.npz"));
}

TEST_P(Convert, NpzToFolderIsTransformersFolder) {
  for (const char* file : {"model.npz", "model.bf16.npz"}) {
    const ModelFiles npz = open_model_files(golden(folder + file));
    const ModelFiles made =
        open_model_files(fs::path(run(golden(folder + file), std::string(file) + ".hf", Form::hugging_face)));
    expect_same_tensors(npz, made);
    expect_same_config(npz.config, made.config);
    EXPECT_EQ(made.config.decoder.vocabulary, npz.config.decoder.vocabulary + 64);
  }
  const ModelFiles theirs = open_model_files(golden(folder + "hf"));
  const ModelFiles ours = open_model_files(fs::path(scratch.path("model.npz.hf")));
  for (const auto& [name, array] : theirs.arrays.arrays) {
    EXPECT_EQ(ours.source.shape(name), array.shape) << name;
    if (name != kEmbedding) {
      EXPECT_EQ(whole(ours.source, name), whole(theirs.source, name)) << name;
    }
  }
}

// `<image>` and padding: the mean of all other rows.
TEST_P(Convert, NewRowsAreTheMean) {
  const ModelFiles npz = open_model_files(golden(folder + "model.npz"));
  const ModelFiles made = open_model_files(fs::path(run(golden(folder + "model.npz"), "hf", Form::hugging_face)));
  const std::int64_t rows = npz.config.decoder.vocabulary, width = npz.config.decoder.width;
  const auto all = test::values(npz.source.rows(kEmbedding, 0, rows));
  for (const std::int64_t row : {rows, rows + 63}) {
    const auto added = test::values(made.source.rows(kEmbedding, row, 1));
    for (std::int64_t c = 0; c < width; ++c) {
      double sum = 0;
      for (std::int64_t r = 0; r < rows; ++r) sum += static_cast<double>(all[static_cast<std::size_t>(r * width + c)]);
      EXPECT_FLOAT_EQ(added[static_cast<std::size_t>(c)], static_cast<float>(sum / static_cast<double>(rows)));
    }
  }
}

TEST_P(Convert, AllWaysThroughKeras) {
  const std::string keras = run(golden(folder + "hf"), "keras", Form::keras);
  const std::string back = run(keras, "hf", Form::hugging_face);
  expect_same_tensors(open_model_files(fs::path(keras)), open_model_files(golden(folder + "hf")));
  expect_same_tensors(open_model_files(fs::path(keras)), open_model_files(fs::path(back)));
  expect_same_config(open_model_files(fs::path(back)).config, open_model_files(golden(folder + "hf")).config);
  expect_same_npz(run(keras, "c/m.npz", Form::big_vision), golden(folder + "model.npz"));
}

INSTANTIATE_TEST_SUITE_P(Golden, Convert, ::testing::Values("pg1", "pg2", "pg2_27b"),
                         [](const auto& info) { return info.param; });

using ConvertKeras = Convert;

// Groups, names and data are KerasHub's own, and so is config.json.
TEST_P(ConvertKeras, PresetIsKerasHubs) {
  const fs::path theirs = golden("keras/" + GetParam());
  run(theirs, "hf", Form::hugging_face);
  const fs::path ours = run(scratch.path("hf"), "keras", Form::keras);
  const auto open = [](const fs::path& folder) {
    return read_hdf5(FileBytes::map(folder / "model.weights.h5", ErrorKind::failure), "h5");
  };
  const Hdf5 a = open(ours), b = open(theirs);
  EXPECT_EQ(a.names, b.names);
  EXPECT_EQ(a.datasets.size(), b.datasets.size());
  for (const auto& [path, tensor] : b.datasets) {
    ASSERT_TRUE(a.datasets.contains(path)) << path;
    const HostTensor& made = a.datasets.find(path)->second;
    EXPECT_EQ(made.dtype, tensor.dtype) << path;
    EXPECT_EQ(made.shape, tensor.shape) << path;
    EXPECT_TRUE(std::ranges::equal(made.bytes, tensor.bytes)) << path;
  }
  // The order of fields does not matter.
  EXPECT_EQ(nlohmann::json(parse_json(scratch.read("keras/config.json"), "a", ErrorKind::failure)),
            nlohmann::json(test::golden_json("keras/" + GetParam() + "/config.json")));
}

INSTANTIATE_TEST_SUITE_P(Golden, ConvertKeras, ::testing::Values("pg1_f32", "pg2_bf16", "pg2_27b_f32"),
                         [](const auto& info) { return info.param; });

TEST(ConvertFiles, AreCutWhereTheyAreLarge) {
  const Scratch scratch;
  const ModelFiles from = open_model_files(golden("npz/pg2/model.bf16.npz"));
  for (const Form form : {Form::hugging_face, Form::keras}) {
    const fs::path to = scratch.path(form == Form::keras ? "keras" : "hf");
    convert(from, to, {.to = form, .shard_bytes = 20'000});
    EXPECT_TRUE(fs::exists(to / (form == Form::keras ? "model.weights.json" : "model.safetensors.index.json")));
    EXPECT_TRUE(fs::exists(to / (form == Form::keras ? "model_00003.weights.h5" : "model-00004-of-00008.safetensors")));
    expect_same_tensors(from, open_model_files(to));
  }
}

TEST(ConvertFiles, TokenizerGoesAlong) {
  const Scratch scratch;
  const fs::path from = golden("models/pg2");
  const std::string tokenizer = Scratch::bytes_of(from / "tokenizer.model");
  EXPECT_TRUE(convert(open_model_files(from), scratch.path("keras"), {.to = Form::keras}).empty());
  EXPECT_EQ(scratch.read("keras/assets/tokenizer/vocabulary.spm"), tokenizer);
  convert(open_model_files(fs::path(scratch.path("keras"))), scratch.path("hf"), {.to = Form::hugging_face});
  EXPECT_EQ(scratch.read("hf/tokenizer.model"), tokenizer);
  convert(open_model_files(golden("npz/pg2/model.npz")), scratch.path("given"),
          {.to = Form::hugging_face, .tokenizer = golden("tokenizer/small.model")});
  EXPECT_TRUE(fs::exists(scratch.path("given/tokenizer.model")));
}

// Cut to the tokenizer's pieces and asked through every form, a model answers as before.
TEST(ConvertFiles, AnswersStayTheSame) {
  const Scratch scratch;
  const fs::path from = golden("models/pg2");
  Request request{.task = Task::run, .text = "detect cow", .max_tokens = 12};
  request.pictures.push_back({"cat", read_picture(golden("pictures/cat.png"))});
  const std::string expected = Model::open(from, {.compute = Compute::f32}).answer(request).text;
  convert(open_model_files(from), scratch.path("m.npz"), {.to = Form::big_vision});
  EXPECT_EQ(open_model_files(fs::path(scratch.path("m.npz"))).config.decoder.vocabulary, 2310);
  const ModelOptions options{.tokenizer = from / "tokenizer.model", .compute = Compute::f32, .numerics = Numerics::hf};
  EXPECT_EQ(Model::open(scratch.path("m.npz"), options).answer(request).text, expected);
  convert(open_model_files(from), scratch.path("keras"), {.to = Form::keras});
  EXPECT_EQ(Model::open(scratch.path("keras"), {.compute = Compute::f32}).answer(request).text, expected);
  expect_error(ErrorKind::model, "no_tokenizer", "Try: --tokenizer", [&] { Model::open(scratch.path("m.npz")); });
}

TEST(ConvertFiles, NothingIsOverwrittenUnasked) {
  const Scratch scratch;
  const ModelFiles from = open_model_files(golden("npz/pg2/model.npz"));
  scratch.write("hf/model.safetensors.index.json", "old");
  scratch.write("hf/notes.txt", "mine");
  scratch.write("m.npz", "old");
  const auto expect_refused = [&](const char* name, Form form) {
    expect_error(ErrorKind::usage, "file_exists", "Try: --force",
                 [&] { convert(from, scratch.path(name), {.to = form}); });
  };
  expect_refused("hf", Form::hugging_face);
  expect_refused("hf", Form::keras);
  expect_refused("m.npz", Form::big_vision);
  std::filesystem::create_directory(scratch.folder() / "folder.npz");
  expect_error(ErrorKind::usage, "file_exists", "expected a file, got a folder",
               [&] { convert(from, scratch.path("folder.npz"), {.to = Form::big_vision, .force = true}); });
  convert(from, scratch.path("m.npz"), {.to = Form::big_vision, .force = true});
  convert(from, scratch.path("hf"), {.to = Form::hugging_face, .force = true});
  expect_same_tensors(from, open_model_files(fs::path(scratch.path("hf"))));  // the old index is gone
  EXPECT_EQ(scratch.read("hf/notes.txt"), "mine");
}

// What has another name could not be opened.
TEST(ConvertFiles, AnNpzIsCalledSo) {
  const Scratch scratch;
  const ModelFiles from = open_model_files(golden("npz/pg2/model.npz"));
  for (const char* name : {"model", "model.npy", "npz"})
    expect_error(ErrorKind::usage, "bad_value", "expected a name that ends in .npz",
                 [&] { convert(from, scratch.path(name), {.to = Form::big_vision}); });
}

TEST(ConvertFiles, WhatIsStoppedLeavesNothing) {
  const Scratch scratch;
  const ModelFiles from = open_model_files(golden("npz/pg2/model.npz"));
  for (const Form form : {Form::hugging_face, Form::big_vision, Form::keras}) {
    int pieces = 0;
    expect_error(ErrorKind::failure, "interrupted", "interrupted",
                 [&] { convert(from, scratch.path("out.npz"), {.to = form}, {}, [&] { return ++pieces == 20; }); });
    EXPECT_EQ(pieces, 20);
    EXPECT_TRUE(fs::is_empty(scratch.folder()));
  }
}

TEST(ConvertFiles, RefusesWhatAFormCannotSay) {
  const Scratch scratch;
  const auto expect_refused = [&](Form form, const char* part, auto change, std::optional<DType> weights = {}) {
    ModelFiles from = open_model_files(golden("npz/pg2/model.npz"));
    change(from);
    expect_error(ErrorKind::usage, "cannot_express", part,
                 [&] { convert(from, scratch.path("out.npz"), {.to = form, .weights = weights}); });
    EXPECT_TRUE(fs::is_empty(scratch.folder()));
  };
  for (const Form form : {Form::big_vision, Form::keras}) {
    expect_refused(form, "rope base", [](ModelFiles& from) { from.config.decoder.rope_theta = 500; });
    expect_refused(form, "box divisor", [](ModelFiles& from) { from.config.loc_divisor = 1024; });
    expect_refused(form, "boxes", [](ModelFiles& from) { from.config.noise_boxes = 8; });
    expect_refused(form, "query scale", [](ModelFiles& from) { from.config.decoder.query_scale = 0.5f; });
    expect_refused(form, "output matrix", [](ModelFiles& from) { from.config.decoder.tied_head = false; });
    expect_refused(form, "epsilons", [](ModelFiles& from) { from.config.vision.eps = 1e-5f; });
    expect_refused(form, "epsilons",
                   [](ModelFiles& from) { from.config.decoder.eps = from.config.vision.eps = 1e-5f; });
  }
  const auto huge = [](ModelFiles& from) {
    from.source.rows = [rows = from.source.rows, buffer = std::make_shared<std::vector<float>>()](
                           std::string_view name, std::int64_t first, std::int64_t count) {
      HostTensor tensor = rows(name, first, count);
      buffer->assign(tensor.bytes.size() / sizeof(float), 65520.0f);
      tensor.bytes = std::as_bytes(std::span(*buffer));
      return tensor;
    };
  };
  expect_refused(Form::hugging_face, "f16 ends at 65504", huge, DType::f16);
}

TEST(ConvertFiles, PictureSettingsAreNotLost) {
  const Scratch scratch;
  const fs::path folder = scratch.path("model");
  fs::copy(golden("models/pg2-f16"), folder);
  const ModelFiles from = open_model_files(folder);
  Json settings = test::golden_json("models/pg2-f16/preprocessor_config.json");
  const auto with = [&](const char* field, const Json& value) {
    Json other = settings;
    other[field] = value;
    scratch.write("model/preprocessor_config.json", other.dump());
  };
  for (const auto& [field, value] : std::map<const char*, Json>{{"resample", 2},
                                                                {"rescale_factor", 0.01},
                                                                {"image_mean", {0.4, 0.5, 0.5}},
                                                                {"image_std", {0.3, 0.3, 0.3}}}) {
    SCOPED_TRACE(field);
    with(field, value);
    for (const Form form : {Form::big_vision, Form::keras})
      expect_error(ErrorKind::usage, "cannot_express", "would be lost",
                   [&] { convert(from, scratch.path("out"), {.to = form}); });
    EXPECT_FALSE(fs::exists(scratch.path("out")));
    fs::remove_all(scratch.path("hf"));
    convert(from, scratch.path("hf"), {.to = Form::hugging_face});
    EXPECT_EQ(scratch.read("hf/preprocessor_config.json"), scratch.read("model/preprocessor_config.json"));
  }
}

TEST(InspectForms, SaysWhatArraysMean) {
  const Inspection npz = inspect(open_model_files(golden("npz/pg2/model.f16.npz")), "m");
  const auto kv = std::ranges::find(npz.tensors, "params/llm/layers/attn/kv_einsum/w", &InspectedTensor::name);
  ASSERT_NE(kv, npz.tensors.end());
  EXPECT_EQ(kv->dtype, "f16");
  EXPECT_THAT(kv->shape, ::testing::ElementsAre(3, 2, 3, 36, 12));
  EXPECT_THAT(kv->meaning, ::testing::ElementsAre("language_model.model.layers.*.self_attn.k_proj.weight",
                                                  "language_model.model.layers.*.self_attn.v_proj.weight"));
  EXPECT_TRUE(npz.warnings.empty());
  const Inspection keras = inspect(open_model_files(golden("keras/pg2_f32_sharded")), "m");
  EXPECT_TRUE(std::ranges::all_of(keras.tensors, &InspectedTensor::used));
  EXPECT_EQ(keras.info.parameters, 38106u);  // as the preset's own metadata says
}

TEST(InspectForms, CountsWhatDeflatedWeightsTake) {
  const Scratch scratch;
  const fs::path stored = golden("keras/pg1_f32/model.keras"), packed = scratch.path("packed.keras");
  fs::copy(stored, packed);
  zip_t* archive = zip_open(packed.c_str(), 0, nullptr);
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i)
    ASSERT_EQ(zip_set_file_compression(archive, static_cast<zip_uint64_t>(i), ZIP_CM_DEFLATE, 9), 0);
  ASSERT_EQ(zip_close(archive), 0);
  EXPECT_EQ(inspect(open_model_files(stored), "m").f32.loading, 0u);
  const Inspection found = inspect(open_model_files(packed), "m");
  EXPECT_EQ(found.f32.loading, 298016u);  // model.weights.h5
  EXPECT_EQ(found.bf16.loading, 298016u);
}

TEST(InspectForms, CountsWhatIsNotFinite) {
  const Scratch scratch;
  ModelFiles from = open_model_files(golden("npz/pg2/model.npz"));
  from.source.rows = [rows = from.source.rows, buffer = std::make_shared<std::vector<float>>()](
                         std::string_view name, std::int64_t first, std::int64_t count) {
    HostTensor tensor = rows(name, first, count);
    *buffer = test::values(tensor);
    if (name == "language_model.model.layers.1.self_attn.v_proj.weight") buffer->at(5) = NAN;
    tensor.bytes = std::as_bytes(std::span(*buffer));
    return tensor;
  };
  convert(from, scratch.path("m.npz"), {.to = Form::big_vision});
  const Inspection found = inspect(open_model_files(fs::path(scratch.path("m.npz"))), "m");
  ASSERT_EQ(found.warnings.size(), 1u);
  EXPECT_EQ(found.warnings[0].text, "params/llm/layers/attn/kv_einsum/w holds 1 value that is NaN or infinite");
}

}  // namespace
}  // namespace paligemma
