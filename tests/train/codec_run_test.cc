#include "train/codec_run.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "detect/mask.h"
#include "detect/mask_codec.h"
#include "io/npz.h"
#include "shapes.h"
#include "support/errors.h"
#include "support/scratch.h"
#include "train/run_log.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

MaskSet drawn_masks(std::uint64_t count, double held_out = 0.1) {
  MaskSet masks(held_out, 1);
  for (std::uint64_t i = 0; i < count; ++i) masks.add(drawn_mask(i));
  return masks;
}

const auto kGoOn = [] { return false; };
const auto kSilent = [](const CodecRunProgress&) {};

CodecRunOptions short_run(std::int64_t steps) {
  return {.steps = steps, .batch = 4, .sizes = {.codes = 128, .width = 8, .channels = 8}, .seed = 5};
}

// What a run learns from drawn shapes in some seconds, measured with the file that it wrote on other shapes.
TEST(CodecRun, LearnsShapes) {
  const Scratch scratch;
  const std::string path = scratch.path("codec.npz");
  const CodecRunOptions options{
      .steps = 500, .batch = 16, .lr = 2e-2, .sizes = {.codes = 128, .width = 32, .channels = 32}, .seed = 1};
  const CodecRunResult result = train_codec(drawn_masks(300), options, path, kSilent, kGoOn);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.skipped, 0);
  EXPECT_GT(result.quality.iou, 0.88);
  EXPECT_GT(result.quality.stable, 0.4);
  EXPECT_GT(result.quality.used, 60);
  EXPECT_LE(result.quality.used, 128);

  const auto backend = make_cpu_backend({.threads = 1});
  const MaskCodec codec = MaskCodec::read(FileBytes::map(path, ErrorKind::model), path, *backend);
  EXPECT_EQ(codec.codes(), 128);
  ASSERT_TRUE(codec.has_encoder());
  double sum = 0;
  constexpr int kOthers = 40;
  for (std::uint64_t i = 0; i < kOthers; ++i) {
    const Mask mask = drawn_mask(1000 + i);
    const std::array<double, 4> box = tight_box(mask);
    const std::array<int, 16> codes = codec.encode(mask, box);
    for (const int code : codes) EXPECT_TRUE(code >= 0 && code < 128);
    sum += map_iou(crop_mask(mask, box), codec.decode(codes));
  }
  EXPECT_GT(sum / kOthers, 0.88);
}

// Six things, each in many sizes: a file whose codes say which it is, whatever the size.
TEST(CodecRun, LearnsGroups) {
  const Scratch scratch;
  const std::string path = scratch.path("codec.npz");
  MaskSet masks(0.1, 1);
  constexpr int kThings = 6;
  for (int size = 28; size < 68; size += 2)
    for (std::uint64_t thing = 0; thing < kThings; ++thing) masks.add(in_pixels(drawn_mask(thing), size));
  const CodecRunOptions options{.steps = 250,
                                .batch = 8,
                                .lr = 2e-2,
                                .sizes = {.codes = 24, .width = 16, .channels = 32},
                                .groups = kThings,
                                .seed = 1};
  const CodecRunResult result = train_codec(masks, options, path, kSilent, kGoOn);
  EXPECT_TRUE(result.finished);
  EXPECT_GT(result.quality.iou, 0.9);
  EXPECT_LE(result.quality.used, 24);

  const auto backend = make_cpu_backend({.threads = 1});
  const MaskCodec codec = MaskCodec::read(FileBytes::map(path, ErrorKind::model), path, *backend);
  std::set<std::array<int, 16>> different;
  int same = 0, asked = 0;
  for (std::uint64_t thing = 0; thing < kThings; ++thing) {
    const auto codes = [&](int size) {
      const Mask mask = in_pixels(drawn_mask(thing), size);
      return codec.encode(mask, tight_box(mask));
    };
    const std::array<int, 16> usual = codes(48);
    different.insert(usual);
    for (const int size : {31, 37, 43, 51, 57, 63}) {
      const std::array<int, 16> other = codes(size);
      for (std::size_t i = 0; i < 16; ++i, ++asked) same += other[i] == usual[i];
    }
  }
  EXPECT_EQ(different.size(), kThings);
  EXPECT_GT(same, asked * 95 / 100);
}

TEST(CodecRun, GroupsGoOnWhereTheyWereStopped) {
  const Scratch scratch;
  const MaskSet masks = drawn_masks(30);
  CodecRunOptions options = short_run(20);
  options.sizes.codes = 16;
  options.groups = 8;
  options.threads = 1;
  train_codec(masks, options, scratch.path("whole.npz"), kSilent, kGoOn);
  options.resume = true;
  options.threads = 3;
  for (const std::int64_t until : {6, 12, 15, 20}) {
    std::int64_t step = 0;
    train_codec(
        masks, options, scratch.path("parts.npz"), [&](const CodecRunProgress& progress) { step = progress.step; },
        [&] { return step == until; });
  }
  EXPECT_EQ(scratch.read("parts.npz"), scratch.read("whole.npz"));
  options.groups = 9;
  expect_error(ErrorKind::usage, "resume", "groups: expected 8 as it was begun with, got 9",
               [&] { train_codec(masks, options, scratch.path("parts.npz"), kSilent, kGoOn); });
  options.groups = 8;
  options.sizes.codes = 17;
  expect_error(ErrorKind::usage, "resume", "codes: expected 16 as it was begun with, got 17",
               [&] { train_codec(masks, options, scratch.path("parts.npz"), kSilent, kGoOn); });
}

TEST(CodecRun, TheSameSeedMakesTheSameFileForAnyThreads) {
  const Scratch scratch;
  const MaskSet masks = drawn_masks(30);
  CodecRunOptions options = short_run(24);
  for (const auto& [name, threads] : {std::pair{"one.npz", 1}, {"three.npz", 3}}) {
    options.threads = threads;
    train_codec(masks, options, scratch.path(name), kSilent, kGoOn);
  }
  EXPECT_EQ(scratch.read("one.npz"), scratch.read("three.npz"));
  options.seed = 6;
  train_codec(masks, options, scratch.path("other.npz"), kSilent, kGoOn);
  EXPECT_NE(scratch.read("one.npz"), scratch.read("other.npz"));
}

TEST(CodecRun, GoesOnWhereItWasStopped) {
  const Scratch scratch;
  const MaskSet masks = drawn_masks(30);
  CodecRunOptions options = short_run(24);
  train_codec(masks, options, scratch.path("whole.npz"), kSilent, kGoOn);
  options.resume = true;  // of nothing: from the beginning
  for (const std::int64_t until : {1, 7, 20, 21}) {
    std::int64_t step = 0;
    const CodecRunResult stopped = train_codec(
        masks, options, scratch.path("parts.npz"), [&](const CodecRunProgress& progress) { step = progress.step; },
        [&] { return step == until; });
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.steps, until);
    EXPECT_FALSE(std::filesystem::exists(scratch.path("parts.npz")));
  }
  const CodecRunResult result = train_codec(masks, options, scratch.path("parts.npz"), kSilent, kGoOn);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(scratch.read("parts.npz"), scratch.read("whole.npz"));

  const std::string log = scratch.read("parts.npz.run/log.jsonl");
  const auto [history, bytes] = read_run_log(log, "log", 1000);
  EXPECT_EQ(bytes, log.size());
  ASSERT_EQ(history.steps.size(), 24);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(history.steps[i].step, std::int64_t(i) + 1);
  EXPECT_THAT(files_in(scratch.path("parts.npz.run")), ElementsAre("log.jsonl", "run.json", "state.safetensors"));
  EXPECT_EQ(history.evaluations.back().step, 24);
  EXPECT_EQ(history.evaluations.back().metrics.front().first, "iou");
}

TEST(CodecRun, GoesOnOnlyAsItWasBegun) {
  const Scratch scratch;
  const MaskSet masks = drawn_masks(20);
  CodecRunOptions options = short_run(3);
  const std::string path = scratch.path("codec.npz");
  train_codec(masks, options, path, kSilent, kGoOn);
  options.resume = true;
  const auto expect_refused = [&](const MaskSet& with, const CodecRunOptions& other, const std::string& part) {
    expect_error(ErrorKind::usage, "resume", part, [&] { train_codec(with, other, path, kSilent, kGoOn); });
  };
  CodecRunOptions other = options;
  other.lr = 1e-3;
  expect_refused(masks, other, "lr: expected 0.015 as it was begun with, got 0.001");
  other = options;
  other.sizes.channels = 16;
  expect_refused(masks, other, "width: expected 8");
  expect_refused(drawn_masks(21), options, "masks: expected 18");
  MaskSet changed(0.1, 1);
  for (std::uint64_t i = 0; i < 20; ++i) changed.add(drawn_mask(i == 3 ? 99 : i));
  expect_refused(changed, options, "fingerprint: expected ");
  scratch.write("codec.npz.run/run.json", "{\"schema\":");
  expect_error(ErrorKind::usage, "json", "run.json", [&] { train_codec(masks, options, path, kSilent, kGoOn); });
}

TEST(CodecRun, GoesOnFromAnotherCodec) {
  const Scratch scratch;
  const MaskSet masks = drawn_masks(20);
  CodecRunOptions options = short_run(5);
  train_codec(masks, options, scratch.path("first.npz"), kSilent, kGoOn);
  options.init = scratch.path("first.npz");
  options.sizes = {};
  options.lr = 1e-6;
  train_codec(masks, options, scratch.path("second.npz"), kSilent, kGoOn);
  const auto read = [&](const std::string& name) {
    return read_npz(FileBytes::map(scratch.path(name), ErrorKind::model), name);
  };
  const auto first = read("first.npz"), second = read("second.npz");
  const auto& before = first.at("decoder.0.weight").tensor;
  const auto& after = second.at("decoder.0.weight").tensor;
  ASSERT_EQ(before.shape, after.shape);
  for (std::size_t i = 0; i < before.elements(); ++i) EXPECT_NEAR(after.element(i), before.element(i), 1e-4);
  // Its codes follow slowly, however few maps a step has.
  const auto& codes = first.at("_vq_vae._embedding").tensor;
  const auto& followed = second.at("_vq_vae._embedding").tensor;
  double moved = 0, size = 0;
  for (std::size_t i = 0; i < codes.elements(); ++i) {
    moved += std::fabs(followed.element(i) - codes.element(i));
    size += std::fabs(codes.element(i));
  }
  EXPECT_LT(moved, 0.05 * size);
  options.init = scratch.path("none.npz");
  expect_error(ErrorKind::model, "file_not_found", "none.npz",
               [&] { train_codec(masks, options, scratch.path("third.npz"), kSilent, kGoOn); });
}

TEST(CodecRun, NeedsMasks) {
  const Scratch scratch;
  MaskSet masks(0.1, 1);
  masks.add(Mask{.width = 1, .height = 1, .inside = {0}});
  expect_error(ErrorKind::input, "no_masks", "expected masks to train on, got none, 1 empty",
               [&] { train_codec(masks, short_run(3), scratch.path("codec.npz"), kSilent, kGoOn); });
  EXPECT_TRUE(files_in(scratch.folder()).empty());
  CodecRunOptions one = short_run(2);
  EXPECT_TRUE(train_codec(drawn_masks(1, 0), one, scratch.path("codec.npz"), kSilent, kGoOn).finished);
}

}  // namespace
}  // namespace paligemma::test
