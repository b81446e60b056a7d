#include "train/codec_trainer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "detect/mask_codec.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMapCells = std::int64_t{MaskCodec::kSide} * MaskCodec::kSide;
constexpr std::int64_t kCodesOfMap = std::int64_t{MaskCodec::kCodesSide} * MaskCodec::kCodesSide;
constexpr double kBiasRate = 0.2;        // of the rate of weights
constexpr std::size_t kMapsAtOnce = 64;  // of those that nothing is learned from

// y becomes factor (y - 2 target + 1); gives the sum of squares before.
double square_error(ConstView y, std::span<const float> coverage, double factor, View dy) {
  double sum = 0;
  for (std::size_t i = 0; i < coverage.size(); ++i) {
    const double difference = double{y.data[i]} - (2 * double{coverage[i]} - 1);
    sum += difference * difference;
    if (dy.rows > 0) dy.data[i] = static_cast<float>(factor * difference);
  }
  return sum;
}

double square_of_gradients(const Parameters& parameters) {
  double sum = 0;
  for (const Parameter& parameter : parameters.all())
    for (const float value : parameter.gradient) sum += double{value} * value;
  return sum;
}

}  // namespace

CodecTrainer::CodecTrainer(const CodecFile& file, std::string_view where, Backend& backend)
    : backend_(backend),
      arena_(backend),
      network_(read_codec_network(file, where, backend)),
      codebook_(network_.codebook, network_.width),
      encoder_(backend),
      decoder_(backend) {
  if (network_.encoder.empty())
    fail(ErrorKind::model, "codec", "training a mask codec: ", where,
         ": expected arrays encoder.0 to encoder.10, got "
         "a file that only decodes");
  add_part(encoder_, network_.encoder, file);
  add_part(decoder_, network_.decoder, file);
}

void CodecTrainer::add_part(Part& part, std::vector<CodecStage>& stages, const CodecFile& file) {
  for (CodecStage& stage : stages)
    for (CodecLayer& layer : stage.layers) {
      Convolution& of = layer.convolution;
      const std::vector<float> matrix = matrix_of(of, file.tensors.find(layer.name + ".weight")->second);
      part.parameters.add(
          {.name = layer.name + ".weight", .shape = array_shape(of), .placed = &of.weight, .matrix = true},
          {DType::f32, {of.weight.rows, of.weight.cols}, std::as_bytes(std::span(matrix))});
      part.parameters.add({.name = layer.name + ".bias", .shape = {of.out}, .placed = &of.bias},
                          file.tensors.find(layer.name + ".bias")->second);
    }
  part.optimizer.emplace(part.parameters, backend_, OptimizerOptions{.kind = OptimizerKind::muon, .beta2 = 0.99});
}

// (count 16, width).
View CodecTrainer::features_of(Pass& pass, std::span<const float> maps) {
  const View in = arena_.rows(static_cast<std::int64_t>(maps.size()), 1);
  for (std::size_t i = 0; i < maps.size(); ++i) in.data[i] = 2 * (maps[i] - 0.5f);
  return run_stages(pass, network_.encoder, in, MaskCodec::kSide);
}

CodecStep CodecTrainer::step(std::span<const float> maps, CodecPhase phase, double lr, std::uint64_t seed) {
  const ArenaScope scope(arena_);
  Tape tape(backend_, arena_, Keep::intermediates);
  const bool whole = phase != CodecPhase::decoder, coded = phase != CodecPhase::features;
  Pass pass{backend_, arena_};
  pass.tape = &tape;
  for (Part* part : {&encoder_, &decoder_}) {
    part->parameters.zero_gradients();
    if (whole || part == &decoder_) part->parameters.train_on(tape);
  }
  const View features = features_of(pass, maps);
  const auto numbers = static_cast<std::size_t>(features.rows * features.cols);
  std::vector<int> codes;
  const View chosen = arena_.rows(features.rows, features.cols);
  double apart = 0;
  backend_.copy(features, chosen);
  for (std::int64_t r = 0; coded && r < features.rows; ++r) {
    const std::span<const float> feature(features.row(r), static_cast<std::size_t>(features.cols));
    codes.push_back(nearest_code(network_.codebook, feature));
    std::copy_n(&network_.codebook[static_cast<std::size_t>(codes.back() * features.cols)], features.cols,
                chosen.row(r));
    for (std::int64_t i = 0; i < features.cols; ++i)
      apart += (double{feature[static_cast<std::size_t>(i)]} - chosen.row(r)[i]) *
               (double{feature[static_cast<std::size_t>(i)]} - chosen.row(r)[i]);
  }
  const double commitment = coded && whole ? kCommitment : 0;
  if (whole) {
    tape.want(chosen);
    tape.record([&] {
      const View dfeatures = tape.gradient(features);
      backend_.add(tape.gradient(chosen), dfeatures);
      if (commitment == 0) return;
      const auto factor = static_cast<float>(2 * commitment / static_cast<double>(numbers));
      backend_.add_scaled(features, factor, dfeatures);
      backend_.add_scaled(chosen, -factor, dfeatures);
    });
  }
  const View y = run_stages(pass, network_.decoder, chosen, MaskCodec::kCodesSide);
  const auto cells = static_cast<double>(maps.size());
  const double squares = square_error(y, maps, 2 / cells, tape.gradient(y));
  tape.run_backward();

  CodecStep result{.loss = squares / cells + commitment * apart / static_cast<double>(numbers)};
  std::vector<Part*> parts{&decoder_};
  if (whole) parts.push_back(&encoder_);
  double square = 0;
  for (const Part* part : parts) square += square_of_gradients(part->parameters);
  result.gradient_norm = std::sqrt(square);
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(square);
  if (result.skipped) return result;
  for (Part* part : parts) {
    part->optimizer->step({.lr = lr, .lr_adamw = kBiasRate * lr});
    part->parameters.place();
  }
  if (coded && whole) codebook_.follow({features.data, numbers}, codes, seed);
  return result;
}

void CodecTrainer::start_codes(std::span<const float> maps, std::uint64_t seed) {
  const ArenaScope scope(arena_);
  Pass pass{backend_, arena_};
  const View features = features_of(pass, maps);
  codebook_.start({features.data, static_cast<std::size_t>(features.rows * features.cols)}, seed);
}

std::vector<int> CodecTrainer::encode(std::span<const float> maps) {
  std::vector<int> codes;
  constexpr std::size_t kNumbers = kMapsAtOnce * kMapCells;
  for (std::size_t first = 0; first < maps.size(); first += kNumbers) {
    const ArenaScope scope(arena_);
    Pass pass{backend_, arena_};
    const View features = features_of(pass, maps.subspan(first, std::min(kNumbers, maps.size() - first)));
    for (std::int64_t r = 0; r < features.rows; ++r)
      codes.push_back(nearest_code(network_.codebook, {features.row(r), static_cast<std::size_t>(features.cols)}));
  }
  return codes;
}

std::vector<float> CodecTrainer::decode(std::span<const int> codes) {
  std::vector<float> maps;
  constexpr std::size_t kNumbers = kMapsAtOnce * kCodesOfMap;
  for (std::size_t first = 0; first < codes.size(); first += kNumbers) {
    const ArenaScope scope(arena_);
    Pass pass{backend_, arena_};
    const std::span<const int> some = codes.subspan(first, std::min(kNumbers, codes.size() - first));
    const View chosen = arena_.rows(static_cast<std::int64_t>(some.size()), network_.width);
    for (std::size_t i = 0; i < some.size(); ++i)
      std::copy_n(&network_.codebook[static_cast<std::size_t>(some[i] * network_.width)], network_.width,
                  chosen.row(static_cast<std::int64_t>(i)));
    const View y = run_stages(pass, network_.decoder, chosen, MaskCodec::kCodesSide);
    maps.insert(maps.end(), y.data, y.row(y.rows));
  }
  return maps;
}

std::vector<CodecTrainer::Array> CodecTrainer::arrays() const {
  std::vector<Array> arrays{
      {std::string(CodecNetwork::kCodebook), {network_.codes, network_.width}, network_.codebook}};
  for (const auto& [part, stages] : {std::pair{&encoder_, &network_.encoder}, {&decoder_, &network_.decoder}}) {
    auto parameter = part->parameters.all().begin();
    for (const CodecStage& stage : *stages)
      for (const CodecLayer& layer : stage.layers) {
        arrays.push_back({parameter->name, parameter->shape, array_of(layer.convolution, parameter->value)});
        ++parameter;
        arrays.push_back({parameter->name, parameter->shape, {parameter->value.begin(), parameter->value.end()}});
        ++parameter;
      }
  }
  return arrays;
}

std::map<std::string, std::span<float>> CodecTrainer::state() {
  std::map<std::string, std::span<float>> state{
      {"codebook", network_.codebook}, {"codebook.counts", codebook_.counts()}, {"codebook.sums", codebook_.sums()}};
  for (Part* part : {&encoder_, &decoder_}) {
    state.merge(part->optimizer->state());
    for (Parameter& parameter : part->parameters.all()) state[parameter.name] = parameter.value;
  }
  return state;
}

void CodecTrainer::resume_at(const Steps& steps) {
  encoder_.optimizer->resume_at(steps.encoder);
  decoder_.optimizer->resume_at(steps.decoder);
  for (Part* part : {&encoder_, &decoder_}) part->parameters.place();
}

}  // namespace paligemma
