#include "train/codec_trainer.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "detect/mask_codec.h"
#include "shapes.h"
#include "support/errors.h"
#include "support/golden.h"
#include "train/codec_quality.h"
#include "train/codec_state.h"
#include "train/mask_set.h"

namespace paligemma::test {
namespace {

constexpr CodecSizes kSmall{.codes = 128, .width = 16, .channels = 32};
constexpr std::size_t kCells = std::size_t{MaskCodec::kSide} * MaskCodec::kSide;

std::vector<float> drawn_maps(std::uint64_t first, int count) {
  std::vector<float> maps;
  for (int i = 0; i < count; ++i) {
    const std::vector<float> map = MaskShape(drawn_mask(first + static_cast<std::uint64_t>(i))).map({});
    maps.insert(maps.end(), map.begin(), map.end());
  }
  return maps;
}

struct CodecTrainerTest : ::testing::Test {
  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 2});
  CodecFile file = make_codec_file(kSmall, 1);

  std::vector<float> numbers_of(CodecTrainer& trainer) {
    std::vector<float> all;
    for (const auto& [name, values] : trainer.state()) all.insert(all.end(), values.begin(), values.end());
    return all;
  }
};

// The loss of a step is differentiable while there are no codes. First moments after one step are a twentieth of
// the gradients of weights (Muon) and a tenth of those of biases (AdamW), of encoder and decoder each clipped to a norm
// of 1.
TEST_F(CodecTrainerTest, GradientsAreDifferencesOfTheLoss) {
  const std::vector<float> maps = drawn_maps(0, 2);
  CodecTrainer trainer(file, "new", *backend);
  const CodecStep first = trainer.step(maps, CodecPhase::features, 0, 0);
  using Change = std::function<void(std::map<std::string, std::span<float>>&, float)>;
  const auto difference = [&](const Change& change, float by) {
    double losses[2];
    for (const int side : {0, 1}) {
      CodecTrainer other(file, "new", *backend);
      auto state = other.state();
      change(state, side == 0 ? -by : by);
      other.resume_at({});
      losses[side] = other.step(maps, CodecPhase::features, 0, 0).loss;
    }
    return (losses[1] - losses[0]) / (2.0 * by);
  };
  double square = 0;
  int layers = 0;
  for (const std::string part : {"encoder.", "decoder."}) {
    std::map<std::string, std::vector<float>> gradients;
    double length = 0;
    for (const auto& [name, moment] : trainer.state())
      if (name.starts_with(part) && name.ends_with(".first")) {
        std::vector<float>& gradient = gradients[name.substr(0, name.size() - 6)];
        for (const float value : moment) {
          gradient.push_back(value * (name.ends_with(".weight.first") ? 20 : 10));
          length += double{gradient.back()} * gradient.back();
        }
      }
    length = std::sqrt(length);
    const double norm = difference(
        [&](auto& state, float by) {
          for (const auto& [name, gradient] : gradients)
            for (std::size_t i = 0; i < gradient.size(); ++i)
              state.at(name)[i] += by * gradient[i] / static_cast<float>(length);
        },
        1e-3f);
    square += norm * norm;
    for (const auto& [name, gradient] : gradients) {
      // The number whose gradient is largest, so that differences in f32 say something.
      std::size_t place = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i)
        if (std::fabs(gradient[i]) > std::fabs(gradient[place])) place = i;
      const double expected = difference([&](auto& state, float by) { state.at(name)[place] += by; }, 2e-4f);
      EXPECT_NEAR(gradient[place] * std::max(1.0, norm), expected, 0.02 * std::fabs(expected) + 1e-4) << name;
      ++layers;
    }
  }
  EXPECT_NEAR(std::sqrt(square), first.gradient_norm, 0.01 * first.gradient_norm);
  EXPECT_EQ(layers, 46);
}

TEST_F(CodecTrainerTest, LearnsOneBatchByHeart) {
  const std::vector<float> maps = drawn_maps(0, 8);
  CodecTrainer trainer(file, "new", *backend);
  double loss = 1;
  for (int i = 0; i < 40; ++i) loss = trainer.step(maps, CodecPhase::features, 1.5e-2, 0).loss;
  trainer.start_codes(maps, 1);
  for (std::uint64_t i = 0; i < 260; ++i) loss = trainer.step(maps, CodecPhase::codes, 1.5e-2, i).loss;
  for (int i = 0; i < 60; ++i) loss = trainer.step(maps, CodecPhase::decoder, 5e-3, 0).loss;
  EXPECT_LT(loss, 0.05);
  const std::vector<float> back = trainer.decode(trainer.encode(maps));
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_GT(map_iou(std::span(maps).subspan(i * kCells, kCells), std::span(back).subspan(i * kCells, kCells)), 0.95);
}

TEST_F(CodecTrainerTest, TheDecoderAloneLeavesCodesAsTheyAre) {
  const std::vector<float> maps = drawn_maps(20, 4);
  CodecTrainer trainer(file, "new", *backend);
  trainer.start_codes(maps, 1);
  trainer.step(maps, CodecPhase::codes, 1e-3, 0);
  const std::vector<int> before = trainer.encode(maps);
  const auto arrays = trainer.arrays();
  for (int i = 0; i < 3; ++i) trainer.step(maps, CodecPhase::decoder, 1e-3, 0);
  EXPECT_EQ(trainer.encode(maps), before);
  const auto after = trainer.arrays();
  ASSERT_EQ(after.size(), arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i)
    EXPECT_EQ(after[i].values != arrays[i].values, arrays[i].name.starts_with("decoder.")) << arrays[i].name;
}

constexpr int kGroups = 3;

// The means of three groups, and a mask of each that is the same in fewer pixels.
struct Grouped {
  std::vector<float> means = drawn_maps(60, kGroups), maps = means;
  std::vector<int> groups{0, 1, 2};

  Grouped() {
    for (std::uint64_t i = 0; i < kGroups; ++i) {
      const std::vector<float> map = MaskShape(in_pixels(drawn_mask(60 + i), 24)).map({});
      maps.insert(maps.end(), map.begin(), map.end());
    }
  }
};

TEST_F(CodecTrainerTest, MasksOfAGroupLearnItsMapAndItsCodes) {
  const CodecFile few = make_codec_file({.codes = 12, .width = 16, .channels = 32}, 1);
  CodecTrainer trainer(few, "new", *backend, kGroups);
  const Grouped of;
  for (int i = 0; i < 40; ++i) trainer.step(of.maps, CodecPhase::features, 1.5e-2, 0, of.groups);
  trainer.start_codes(of.maps, 1);
  for (std::uint64_t i = 0; i < 100; ++i) trainer.step(of.maps, CodecPhase::codes, 1.5e-2, i, of.groups);
  trainer.keep_codes(of.means);
  const std::vector<int> kept = trainer.encode(of.means);
  const std::vector<float> codebook = trainer.arrays().front().values;
  for (std::uint64_t i = 0; i < 100; ++i) trainer.step(of.maps, CodecPhase::choices, 5e-3, i, of.groups);
  EXPECT_EQ(trainer.arrays().front().values, codebook);
  const std::vector<int> codes = trainer.encode(of.maps);
  for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(codes[i], kept[i % kept.size()]) << i;
  const std::vector<float> back = trainer.decode(kept);
  for (std::size_t i = 0; i < kGroups; ++i)
    EXPECT_GT(map_iou(std::span(of.means).subspan(i * kCells, kCells), std::span(back).subspan(i * kCells, kCells)),
              0.95);
}

// Of a codec with fewer codes than the text has, those behind are the same again, in the end too, and are not chosen.
TEST_F(CodecTrainerTest, CodesThatAreNotLearnedAreCopies) {
  const CodecFile few = make_codec_file({.codes = 5, .width = 16, .channels = 8}, 1);
  CodecTrainer trainer(few, "new", *backend);
  EXPECT_EQ(trainer.learned_codes(), 5);
  EXPECT_EQ(trainer.network().codes, 128);
  const std::vector<float> maps = drawn_maps(0, 4);
  trainer.start_codes(maps, 1);
  for (std::uint64_t i = 0; i < 5; ++i) trainer.step(maps, CodecPhase::codes, 1e-2, i);
  for (const int code : trainer.encode(maps)) EXPECT_LT(code, 5);
  const std::vector<float> rows = trainer.arrays().front().values;
  ASSERT_EQ(rows.size(), 128u * 16);
  for (std::size_t i = 5 * 16; i < rows.size(); ++i) EXPECT_EQ(rows[i], rows[i - 5 * 16]);
  EXPECT_EQ(CodecTrainer(file, "new", *backend).learned_codes(), 128);
}

// The bits after some steps, of all phases.
TEST_F(CodecTrainerTest, BitsDoNotDependOnThreadsOrOnBeingResumed) {
  const std::vector<float> maps = drawn_maps(40, 6);
  const auto steps = [&](CodecTrainer& trainer, int from, int to) {
    for (int i = from; i < to; ++i) {
      if (i == 2) trainer.start_codes(maps, 9);
      trainer.step(maps,
                   i < 2   ? CodecPhase::features
                   : i < 6 ? CodecPhase::codes
                           : CodecPhase::decoder,
                   2e-3, static_cast<std::uint64_t>(i));
    }
  };
  CodecTrainer whole(file, "new", *backend);
  steps(whole, 0, 8);
  const auto other_backend = make_cpu_backend({.threads = 1});
  for (const int stop : {0, 1, 2, 5, 7}) {
    const Scratch scratch;
    CodecTrainer begun(file, "new", *other_backend);
    steps(begun, 0, stop);
    write_codec_state(begun, stop, scratch.path("state"));
    CodecTrainer resumed(file, "new", *other_backend);
    EXPECT_EQ(read_codec_state(resumed, FileBytes::map(scratch.path("state"), ErrorKind::model), "state"), stop);
    steps(resumed, stop, 8);
    EXPECT_EQ(numbers_of(resumed), numbers_of(whole)) << stop;
  }
}

TEST_F(CodecTrainerTest, AStepThatIsNotFiniteChangesNothing) {
  CodecTrainer trainer(file, "new", *backend);
  const std::vector<float> before = numbers_of(trainer);
  std::vector<float> maps = drawn_maps(0, 2);
  maps[77] = NAN;
  for (const CodecPhase phase : {CodecPhase::features, CodecPhase::codes, CodecPhase::decoder}) {
    EXPECT_TRUE(trainer.step(maps, phase, 1e-3, 0).skipped);
    EXPECT_EQ(numbers_of(trainer), before);
  }
}

TEST_F(CodecTrainerTest, GoesOnFromACodecWithBothDirections) {
  const std::string path = "codec/tiny_both.safetensors", only = "codec/tiny.safetensors";
  const CodecFile both = read_codec_file(FileBytes::map(golden(path), ErrorKind::model), path);
  CodecTrainer trainer(both, path, *backend);
  const MaskCodec codec = MaskCodec::read(FileBytes::map(golden(path), ErrorKind::model), path, *backend);
  const std::vector<float> maps = drawn_maps(3, 2);
  const std::vector<int> codes = trainer.encode(maps);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_THAT(codec.encode(std::span(maps).subspan(i * kCells, kCells)),
                ::testing::ElementsAreArray(std::span(codes).subspan(i * 16, 16)));
    EXPECT_EQ(codec.decode(std::span(codes).subspan(i * 16).first<16>()),
              trainer.decode(std::span(codes).subspan(i * 16, 16)));
  }
  for (const CodecTrainer::Array& array : trainer.arrays()) {
    const HostTensor& tensor = both.tensors.find(array.name)->second;
    EXPECT_EQ(array.shape, tensor.shape) << array.name;
    for (std::size_t i = 0; i < array.values.size(); ++i) ASSERT_EQ(array.values[i], tensor.element(i)) << array.name;
  }
  EXPECT_LT(trainer.step(maps, CodecPhase::codes, 1e-4, 0).loss, INFINITY);
  const CodecFile decodes = read_codec_file(FileBytes::map(golden(only), ErrorKind::model), only);
  expect_error(ErrorKind::model, "codec", "got a file that only decodes",
               [&] { CodecTrainer refused(decodes, only, *backend); });
}

TEST_F(CodecTrainerTest, AStateWithCodesThatAreNoneIsRefused) {
  for (const float wrong : {-1.0f, 0.5f, 128.0f, NAN}) {
    const Scratch scratch;
    CodecTrainer trainer(file, "new", *backend, 2);
    trainer.state().at("groups.codes")[3] = wrong;
    write_codec_state(trainer, 3, scratch.path("state"));
    expect_error(ErrorKind::model, "codec_state", "groups.codes: expected codes of the codebook, got ",
                 [&] { read_codec_state(trainer, FileBytes::map(scratch.path("state"), ErrorKind::model), "state"); });
  }
}

TEST_F(CodecTrainerTest, AStateOfOtherSizesIsRefused) {
  const Scratch scratch;
  CodecTrainer trainer(file, "new", *backend);
  write_codec_state(trainer, 3, scratch.path("state"));
  const CodecFile wide_file = make_codec_file({.codes = 128, .width = 16, .channels = 24}, 1);
  CodecTrainer wide(wide_file, "new", *backend);
  expect_error(ErrorKind::model, "codec_state", "f32 numbers, got [",
               [&] { read_codec_state(wide, FileBytes::map(scratch.path("state"), ErrorKind::model), "state"); });
  const std::string whole = scratch.read("state");
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, whole.size() - 1}) {
    const std::string cut = whole.substr(0, size);
    EXPECT_THROW(read_codec_state(trainer, FileBytes::borrow(std::as_bytes(std::span(cut))), "state"), Error) << size;
  }
}

}  // namespace
}  // namespace paligemma::test
