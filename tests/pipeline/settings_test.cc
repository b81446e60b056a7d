// What the options and the settings of a request come to.
#include <gtest/gtest.h>

#include "model/pocket.h"
#include "pipeline.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma {
namespace {

std::unique_ptr<Pipeline> open(const ModelOptions& options) {
  return open_pipeline(open_model_files(test::golden("models/pg2")), "pg2", options);
}

TEST(Settings, NumericsOfBigVision) {
  const auto hf = open({}), bv = open({.numerics = Numerics::bv});
  EXPECT_TRUE(hf->config.numerics.caps_prompt_logits && hf->config.numerics.counts_padding_rows);
  EXPECT_FALSE(hf->config.numerics.bf16_cache);
  EXPECT_EQ(hf->options.resize, Resize::automatic);
  EXPECT_EQ(hf->info.compute, "bf16");
  EXPECT_EQ(hf->network.decoder.scale_type, DType::f32);
  EXPECT_FALSE(bv->config.numerics.caps_prompt_logits || bv->config.numerics.counts_padding_rows);
  EXPECT_TRUE(bv->config.numerics.bf16_cache);
  EXPECT_EQ(bv->options.resize, Resize::tf_bilinear);
  EXPECT_EQ(bv->info.compute, "f32");
  EXPECT_EQ(bv->network.decoder.scale_type, DType::bf16);

  const auto told =
      open({.compute = Compute::bf16, .final_softcap = Switch::on, .numerics = Numerics::bv, .resize = Resize::pillow});
  EXPECT_TRUE(told->config.numerics.caps_prompt_logits);
  EXPECT_EQ(told->options.resize, Resize::pillow);
  EXPECT_EQ(told->info.compute, "bf16");
}

TEST(Settings, WindowOnlyWhenAskedFor) {
  EXPECT_EQ(open({})->config.decoder.window, 0);
  EXPECT_EQ(open({.window = Window::hf})->config.decoder.window, 4096);
}

Request request(const std::string& picture, Task task = Task::caption) {
  Request out{.task = task, .labels = {}};
  if (task == Task::segment || task == Task::detect) out.labels = {"cow"};
  out.pictures.push_back({picture, read_picture(std::filesystem::path(POCKET_DIR) / "pictures" / picture)});
  return out;
}

std::string text(Model& model, Request request, const Sampling& sampling) {
  request.sampling = sampling;
  return model.answer(request).text;
}

TEST(Settings, SeedsDecide) {
  Model model = Model::embedded();
  const Request caption = request("beach.png");
  const std::string greedy = model.answer(caption).text;
  const Sampling hot{.temperature = 3, .seed = 1};
  const std::string one = text(model, caption, hot);
  EXPECT_NE(one, greedy);
  EXPECT_EQ(text(model, caption, hot), one);
  EXPECT_NE(text(model, caption, {.temperature = 3, .seed = 2}), one);
  for (const Sampling& cold : {Sampling{.temperature = 3, .top_k = 1}, Sampling{.temperature = 3, .top_p = 0},
                               Sampling{.temperature = 3, .min_p = 1}, Sampling{.temperature = 1e-6}})
    EXPECT_EQ(text(model, caption, cold), greedy);
  EXPECT_NE(text(model, caption, {.repetition_penalty = 100}), greedy);
}

TEST(Settings, BadOnesAreRefused) {
  Model model = Model::embedded();
  Request caption = request("beach.png");
  caption.sampling.temperature = -1;
  expect_error(ErrorKind::usage, "decoding", "temperature", [&] { model.answer(caption); });
  caption.sampling.temperature = 0.5;
  caption.beams.count = 2;
  expect_error(ErrorKind::usage, "decoding", "2 beams", [&] { model.answer(caption); });
  Model bv = Model::embedded({.numerics = Numerics::bv});
  caption.sampling.temperature = 0;
  caption.beams.length_penalty = 2;
  model.answer(caption);
  expect_error(ErrorKind::usage, "decoding", "length penalty", [&] { bv.answer(caption); });  // its score is the sum
}

// Of what the embedded model writes behind the codes of an object all but the end of the answer is guessed.
TEST(Settings, NamesOfObjectsAreGuessed) {
  const auto pipeline = open_pipeline(open_model_files(pocket_folder()), "pocket", {});
  const Tokenizer& tokenizer = *pipeline->tokenizer;
  Model plain = Model::embedded({.draft_rows = 1}), guessing = Model::embedded({.draft_rows = 8});
  for (const Task task : {Task::detect, Task::segment}) {
    Request asked = request("beach.png", task);
    if (task == Task::detect) asked.labels = {"cow", "lion"};
    asked.logprobs = true;
    Result result = plain.answer(asked), again = guessing.answer(asked);
    result.timings = again.timings = {};
    EXPECT_EQ(to_json(again), to_json(result));
    const DraftHints hints = draft_hints(tokenizer, asked);
    std::vector<std::int32_t> ids;
    for (const Token& token : result.tokens) ids.push_back(token.id);
    std::size_t names = 0;
    for (std::size_t i = 1; i + 1 < ids.size(); ++i) {
      const bool code = tokenizer.is_loc(ids[i]) || tokenizer.is_seg(ids[i]);
      if (code || ids[i] == tokenizer.eos()) continue;
      const std::span before = std::span(ids).first(i);
      const std::vector<std::int32_t> next = draft(before, hints, 1);
      EXPECT_EQ(next, std::vector{ids[i]}) << i;
      names += tokenizer.is_loc(before.back()) || tokenizer.is_seg(before.back());
    }
    EXPECT_EQ(names, asked.labels.size());
  }
  EXPECT_EQ(draft_hints(tokenizer, request("beach.png")).codes, 0u);
}

// A square in the middle of a wider picture is what the model sees: the same objects, moved.
TEST(Settings, KerasBoxesLieInTheWholePicture) {
  Model model = Model::embedded({.resize = Resize::keras});
  const Request square = request("beach.png", Task::segment);
  const Picture& inner = square.pictures[0].pixels;
  ASSERT_EQ(inner.width, inner.height);
  Request wide = square;
  const int margin = 21;
  Picture outer{.width = inner.width + 2 * margin, .height = inner.height, .rgb = {}};
  outer.rgb.resize(std::size_t{3} * outer.width * outer.height, 99);
  for (int y = 0; y < inner.height; ++y)
    std::copy_n(&inner.rgb[std::size_t{3} * y * inner.width], 3 * inner.width,
                &outer.rgb[std::size_t{3} * (std::size_t(y) * outer.width + margin)]);
  wide.pictures[0].pixels = std::move(outer);
  const Result a = model.answer(square), b = model.answer(wide);
  EXPECT_EQ(a.text, b.text);
  ASSERT_GE(a.objects.size(), 1u);
  ASSERT_EQ(b.objects.size(), a.objects.size());
  for (std::size_t i = 0; i < a.objects.size(); ++i) {
    EXPECT_EQ(b.objects[i].loc, a.objects[i].loc);
    EXPECT_DOUBLE_EQ(b.objects[i].box[0], a.objects[i].box[0] + margin);
    EXPECT_DOUBLE_EQ(b.objects[i].box[1], a.objects[i].box[1]);
    EXPECT_DOUBLE_EQ(b.objects[i].box[2], a.objects[i].box[2] + margin);
    EXPECT_DOUBLE_EQ(b.objects[i].box[3], a.objects[i].box[3]);
    ASSERT_TRUE(a.objects[i].mask && b.objects[i].mask);
    EXPECT_EQ(b.objects[i].mask->x, a.objects[i].mask->x + margin);
    EXPECT_EQ(b.objects[i].mask->y, a.objects[i].mask->y);
    EXPECT_EQ(b.objects[i].mask->inside, a.objects[i].mask->inside);
  }
}

TEST(Memory, WhatIsTakenWhileLoadingIsGivenBackBeforeTheWork) {
  MemoryNeed need{.weights = 1000, .kv_cache = 20, .work = 30};
  EXPECT_EQ(need.total(), 1050u);
  need.loading = 40;
  EXPECT_EQ(need.total(), 1050u);
  need.loading = 70;
  EXPECT_EQ(need.total(), 1070u);
  require_memory("m", need, 1070);
  expect_error(ErrorKind::resource, "out_of_memory", "m: needs 1.0 KiB (weights 1000 B, loading 70 B)",
               [&] { require_memory("m", need, 1069); });
  // Of what the system has left, what is already held counts as available.
  need.loading = std::uint64_t{1} << 60;
  EXPECT_THROW(require_memory("m", need), Error);
  EXPECT_NO_THROW(require_memory("m", need, 0, need.loading));
}

}  // namespace
}  // namespace paligemma
