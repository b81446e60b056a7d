// Models in one GGUF file: names, what they hold beside tensors, and what is refused.
#include "model/gguf_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "model/load.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using test::golden;
using test::Scratch;
using namespace std::string_literals;

// Every tensor that the format must name, in the largest model, in less than 64 bytes.
TEST(GgufNames, AreShortAndReadBack) {
  Config config;
  config.decoder.gemma2 = true;
  config.decoder.tied_head = false;
  config.decoder.layers = 46;
  config.vision.layers = 27;
  Network network(config);
  visit(network, config, [](const std::string& name, Weight&, const Shape&, Weight::Form) {
    EXPECT_LT(gguf_name(name).size(), 64u) << name;
    EXPECT_EQ(canonical_name(gguf_name(name)), name);
  });
}

std::vector<float> floats(const HostTensor& tensor) {
  std::vector<float> out(tensor.elements());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = tensor.element(i);
  return out;
}

// Q4_K, Q6_K, Q8_0 and Q4_0, and a folder that holds what PyPI's gguf makes of them.
TEST(GgufModel, BlocksAreTheNumbersThatTheOriginalMakesOfThem) {
  const ModelFiles gguf = open_model_files(golden("gguf/k_blocks.gguf")),
                   folder = open_model_files(golden("gguf/k_blocks"));
  EXPECT_EQ(gguf.form, Form::gguf);
  EXPECT_EQ(gguf.config.decoder.width, 256);
  EXPECT_EQ(gguf.config.image_token, 40);
  const auto backend = make_cpu_backend({.threads = 1});
  Network network(gguf.config);
  visit(network, gguf.config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    EXPECT_EQ(floats(gguf.source.rows(name, 0, shape[0])), floats(folder.source.rows(name, 0, shape[0]))) << name;
    const std::int64_t last = shape[0] - 1;
    EXPECT_EQ(floats(gguf.source.rows(name, last, 1)), floats(folder.source.rows(name, last, 1))) << name;
    if (form != Weight::Form::matrix) return;
    // Held in f32 they are the same matrices.
    const Weight ours = load_tensor(name, shape, form, gguf.source, {.held = HeldAs::f32}, {}, *backend);
    const Weight theirs = load_tensor(name, shape, form, folder.source, {.held = HeldAs::f32}, {}, *backend);
    EXPECT_EQ(std::memcmp(ours.storage.get(), theirs.storage.get(), ours.bytes), 0) << name;
  });
}

TEST(GgufModel, IsHeldAsInTheFile) {
  const ModelFiles gguf = open_model_files(golden("gguf/k_blocks.gguf"));
  const auto backend = make_cpu_backend({.threads = 1});
  const Network network = load_network(gguf.config, gguf.source, {.precision = Precision::bf16}, *backend);
  const DecoderBlock& block = network.decoder.blocks.front();
  EXPECT_EQ(network.decoder.embedding.dtype, DType::q8);  // Q6_K
  EXPECT_EQ(block.gate.dtype, DType::q8);                 // Q4_K
  EXPECT_EQ(block.down.dtype, DType::q8);
  EXPECT_EQ(block.out.weight.dtype, DType::q4);
  EXPECT_EQ(network.projector.weight.dtype, DType::bf16);  // f32
}

class TinyGguf : public ::testing::Test {
 protected:
  static std::string content() { return Scratch::bytes_of(golden("tiny/model.gguf")); }
  ModelFiles open(const std::string& bytes) const {
    return open_model_files(std::filesystem::path(scratch.write("x.gguf", bytes)));
  }
  void expect_refused(const std::string& from, const std::string& to, std::string_view code,
                      std::string_view part) const {
    std::string bytes = content();
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, bytes.npos) << from;
    ASSERT_EQ(from.size(), to.size());
    bytes.replace(at, from.size(), to);
    expect_error(ErrorKind::model, code, part, [&] { open(bytes); });
  }
  const Scratch scratch;
};

TEST_F(TinyGguf, HoldsFiles) {
  const ModelFiles files = open(content());
  EXPECT_EQ(files.config.decoder.vocabulary, 72);
  ASSERT_TRUE(files.tokenizer_folder.has("tokenizer.model"));
  EXPECT_EQ(files.tokenizer_folder.open("tokenizer.model").text(), "\n\1a");
  EXPECT_EQ(files.meanings.at("file.tokenizer.model"), std::vector<std::string>{"tokenizer.model"});
  ASSERT_TRUE(files.folder.has("mask_codec.safetensors"));
  const Safetensors codec = read_safetensors(files.folder.open("mask_codec.safetensors"), "codec");
  EXPECT_EQ(codec.tensors.at("x").shape, (Shape{2, 2}));
  EXPECT_FALSE(files.folder.has("preprocessor_config.json"));
  expect_error(ErrorKind::model, "file_not_found", "x.gguf: no.json", [&] { files.folder.open("no.json"); });
}

// What a model brings goes before what lies beside it, and other files beside it are not its own.
TEST_F(TinyGguf, LooksBesideItselfForWhatItHasNot) {
  scratch.write("tokenizer.model", "another");
  scratch.write("tokenizer.json", "another");
  scratch.write("vae-oid.npz", "another");
  scratch.write("preprocessor_config.json", "{}");
  const ModelFiles with = open(content());
  EXPECT_EQ(with.tokenizer_folder.open("tokenizer.model").text(), "\n\1a");
  EXPECT_FALSE(with.folder.has("tokenizer.json"));
  EXPECT_FALSE(with.folder.has("vae-oid.npz"));
  EXPECT_FALSE(with.folder.has("preprocessor_config.json"));
  std::string without = content();
  for (const std::string name : {"file.tokenizer", "mask_codec.x"})
    without.replace(without.find(name), name.size(), std::string(name.size(), 'z'));
  EXPECT_EQ(open(without).folder.open("tokenizer.model").text(), "another");
  EXPECT_TRUE(open(without).folder.has("vae-oid.npz"));
}

TEST_F(TinyGguf, RefusesWhatIsNoWholeModel) {
  expect_refused("config.json", "config.jsan", "gguf",
                 "not in this file: the configuration (paligemma.file.config.json)");
  expect_refused("\x09\0\0\0\0\0\0\0paligemma"s, "\x09\0\0\0\0\0\0\0paligemna"s, "gguf",
                 "general.architecture: expected \"paligemma\", got \"paligemna\"");
  expect_refused("paligemma.layout\4\0\0\0\1"s, "paligemma.layout\4\0\0\0\2"s, "gguf",
                 "paligemma.layout: expected 1, got 2");
  expect_refused("paligemma.layout", "paligemma.layoot", "gguf", "paligemma.layout: expected 1, got 0");
}

TEST_F(TinyGguf, RefusesHalvesOfOtherPrograms) {
  NewGguf half{.metadata = {{"general.architecture", "gemma2"}}};
  half.bytes.emplace_back("blk.0.attn_q.weight", "123");
  std::string bytes;
  write_gguf(half, [&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  expect_error(
      ErrorKind::model, "gguf",
      "got \"gemma2\"; not in this file: the configuration (paligemma.file.config.json), the vision tower, the "
      "projector, the decoder. Try: paligemma quantize",
      [&] { open(bytes); });
}

TEST_F(TinyGguf, RefusesTypesThatItDoesNotComputeWith) {
  // The embedding's BF16, type 30, as I16, type 25.
  const std::string name = "language_model.embed_tokens.weight";
  const std::string dims = "\2\0\0\0\2\0\0\0\0\0\0\0\x48\0\0\0\0\0\0\0"s;
  expect_refused(name + dims + "\x1e", name + dims + "\x19", "tensor_dtype",
                 "embed_tokens.weight: expected F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K, got I16");
}

}  // namespace
}  // namespace paligemma
