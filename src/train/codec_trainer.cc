#include "train/codec_trainer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "detect/mask_codec.h"
#include "train/code_choice.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMapCells = std::int64_t{MaskCodec::kSide} * MaskCodec::kSide;
constexpr std::int64_t kCodesOfMap = std::int64_t{MaskCodec::kCodesSide} * MaskCodec::kCodesSide;
constexpr double kBiasRate = 0.2;        // of the rate of weights
constexpr std::size_t kMapsAtOnce = 64;  // of those that nothing is learned from

// Some rows of maps in groups take the code of the other map of their group: of each map a share, twice this at most.
constexpr double kMixedCodes = 0.25, kMixedChoices = 0.5;
constexpr double kGroupPull = 4;  // to the code of the group's mean, beside a commitment of 1
constexpr std::uint64_t kShareStream = 0x5151, kPlaceStream = 0x1234567;  // of a step's seed

// dy becomes factor (y - (2 target - 1)); gives the sum of squares. Targets are there once for all of y, or for each
// of its parts.
double square_error(ConstView y, std::span<const float> coverage, double factor, View dy) {
  double sum = 0;
  const auto count = static_cast<std::size_t>(y.rows * y.cols);
  for (std::size_t i = 0; i < count; ++i) {
    const double difference = double{y.data[i]} - (2 * double{coverage[i % coverage.size()]} - 1);
    sum += difference * difference;
    if (dy.rows > 0) dy.data[i] = static_cast<float>(factor * difference);
  }
  return sum;
}

bool is_mixed(std::uint64_t seed, std::int64_t map, std::int64_t row, double share) {
  return uniform(seed ^ kPlaceStream, static_cast<std::uint64_t>(row)) <
         share * 2 * uniform(seed ^ kShareStream, static_cast<std::uint64_t>(map));
}

// Rows before the first one again.
std::size_t different_rows(std::span<const float> rows, std::size_t width) {
  std::size_t row = 1;
  while (row * width < rows.size() && !std::equal(&rows[0], &rows[0] + width, &rows[row * width])) ++row;
  return row * width;
}

double square_of_gradients(const Parameters& parameters) {
  double sum = 0;
  for (const Parameter& parameter : parameters.all())
    for (const float value : parameter.gradient) sum += double{value} * value;
  return sum;
}

}  // namespace

CodecTrainer::CodecTrainer(const CodecFile& file, std::string_view where, Backend& backend, int groups)
    : backend_(backend),
      arena_(backend),
      network_(read_codec_network(file, where, backend)),
      learned_(different_rows(network_.codebook, static_cast<std::size_t>(network_.width))),
      codebook_(std::span(network_.codebook).first(learned_), network_.width),
      group_codes_(static_cast<std::size_t>(groups) * kCodesOfMap),
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

std::span<const float> CodecTrainer::codebook() const { return std::span(network_.codebook).first(learned_); }

std::span<const float> CodecTrainer::code(int code) const {
  const auto width = static_cast<std::size_t>(network_.width);
  return std::span(network_.codebook).subspan(static_cast<std::size_t>(code) * width, width);
}

void CodecTrainer::repeat_codes() {
  std::vector<float>& rows = network_.codebook;
  for (std::size_t i = learned_; i < rows.size(); ++i) rows[i] = rows[i - learned_];
}

// The codes that the decoder gets, each in its feature's place, and on the tape what features get of its gradient,
// which passes over the codes as if they were the features, and the pull to their codes.
View CodecTrainer::coded(Pass& pass, ConstView features, bool grouped, std::uint64_t seed, Coded& result) {
  const std::int64_t half = features.rows / 2;
  const auto width = static_cast<std::size_t>(features.cols);
  const auto numbers = static_cast<double>(features.rows * features.cols);
  const View chosen = arena_.rows(features.rows, features.cols), pull = arena_.rows(features.rows, features.cols);
  for (std::int64_t r = 0; r < features.rows; ++r)
    result.codes.push_back(nearest_code(codebook(), {features.row(r), width}));
  std::vector<std::int64_t> source;  // whose code a row gets
  for (std::int64_t r = 0; r < features.rows; ++r) {
    const bool other = grouped && is_mixed(seed, r / kCodesOfMap, r, kMixedCodes);
    source.push_back(other ? (r + half) % features.rows : r);
    std::ranges::copy(code(result.codes[static_cast<std::size_t>(source.back())]), chosen.row(r));
    const std::span<const float> own = code(result.codes[static_cast<std::size_t>(r)]),
                                 means = code(result.codes[static_cast<std::size_t>(grouped ? r % half : r)]);
    const double group_pull = grouped ? kGroupPull : 0;
    for (std::size_t i = 0; i < width; ++i) {
      const double from_own = double{features.row(r)[i]} - own[i], from_means = double{features.row(r)[i]} - means[i];
      result.loss += (kCommitment * from_own * from_own + group_pull * from_means * from_means) / numbers;
      pull.row(r)[i] = static_cast<float>(2 * (kCommitment * from_own + group_pull * from_means) / numbers);
    }
  }
  Tape& tape = *pass.tape;
  if (!tape.wants(features)) {
    result.loss = 0;
    return chosen;
  }
  tape.want(chosen);
  tape.record([&tape, features, chosen, pull, source, width] {
    const View dfeatures = tape.gradient(features), dchosen = tape.gradient(chosen);
    for (std::int64_t r = 0; r < features.rows; ++r)
      for (std::size_t i = 0; i < width; ++i) {
        dfeatures.row(source[static_cast<std::size_t>(r)])[i] += dchosen.row(r)[i];
        dfeatures.row(r)[i] += pull.row(r)[i];
      }
  });
  return chosen;
}

// The codes of the groups, among them some that the features of masks chose themselves, and on the tape what features
// get of the choice.
View CodecTrainer::choices(Pass& pass, ConstView features, std::span<const int> groups, std::uint64_t seed,
                           Coded& result) {
  const std::int64_t half = features.rows / 2;
  const auto width = static_cast<std::size_t>(features.cols);
  const View chosen = arena_.rows(half, features.cols), pull = arena_.rows(features.rows, features.cols);
  const double sharpness = choice_sharpness(codebook(), width, group_codes_);
  const double share = 1 / static_cast<double>(features.rows);
  for (std::int64_t r = 0; r < features.rows; ++r) {
    const std::int64_t map = r % half / kCodesOfMap, group = groups[static_cast<std::size_t>(map)];
    const int label = static_cast<int>(group_codes_[static_cast<std::size_t>(group * kCodesOfMap + r % kCodesOfMap)]);
    const CodeChoice choice =
        choose_code(codebook(), {features.row(r), width}, label, sharpness, share, {pull.row(r), width});
    result.loss += share * choice.loss;
    if (r < half) continue;
    std::ranges::copy(code(is_mixed(seed, map, r, kMixedChoices) ? choice.nearest : label), chosen.row(r - half));
  }
  Tape& tape = *pass.tape;
  tape.record([this, &tape, features, pull] { backend_.add(pull, tape.gradient(features)); });
  return chosen;
}

CodecStep CodecTrainer::step(std::span<const float> maps, CodecPhase phase, double lr, std::uint64_t seed,
                             std::span<const int> groups) {
  const ArenaScope scope(arena_);
  Tape tape(backend_, arena_, Keep::intermediates);
  const bool whole = phase != CodecPhase::decoder;
  Pass pass{backend_, arena_};
  pass.tape = &tape;
  std::vector<Part*> parts{&decoder_};
  if (whole) parts.push_back(&encoder_);
  for (Part* part : parts) {
    part->parameters.zero_gradients();
    part->parameters.train_on(tape);
  }
  const View features = features_of(pass, maps);
  Coded coded_features;
  const View chosen = phase == CodecPhase::features  ? features
                      : phase == CodecPhase::choices ? choices(pass, features, groups, seed, coded_features)
                                                     : coded(pass, features, !groups.empty(), seed, coded_features);
  const View y = run_stages(pass, network_.decoder, chosen, MaskCodec::kCodesSide);
  const auto cells = static_cast<double>(y.rows * y.cols);
  const std::span<const float> targets = groups.empty() ? maps : maps.first(maps.size() / 2);
  const double squares = square_error(y, targets, 2 / cells, tape.gradient(y));
  tape.run_backward();

  CodecStep result{.loss = squares / cells + coded_features.loss};
  double square = 0;
  for (const Part* part : parts) square += square_of_gradients(part->parameters);
  result.gradient_norm = std::sqrt(square);
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(square);
  if (result.skipped) return result;
  for (Part* part : parts) {
    part->optimizer->step({.lr = lr, .lr_adamw = kBiasRate * lr});
    part->parameters.place();
  }
  if (phase == CodecPhase::codes) {
    codebook_.follow({features.data, static_cast<std::size_t>(features.rows * features.cols)}, coded_features.codes,
                     seed);
    repeat_codes();
  }
  return result;
}

void CodecTrainer::start_codes(std::span<const float> maps, std::uint64_t seed) {
  const ArenaScope scope(arena_);
  Pass pass{backend_, arena_};
  const View features = features_of(pass, maps);
  codebook_.start({features.data, static_cast<std::size_t>(features.rows * features.cols)}, seed);
  repeat_codes();
}

void CodecTrainer::keep_codes(std::span<const float> means) {
  const std::vector<int> codes = encode(means);
  group_codes_.assign(codes.begin(), codes.end());
}

std::vector<int> CodecTrainer::encode(std::span<const float> maps) {
  std::vector<int> codes;
  constexpr std::size_t kNumbers = kMapsAtOnce * kMapCells;
  for (std::size_t first = 0; first < maps.size(); first += kNumbers) {
    const ArenaScope scope(arena_);
    Pass pass{backend_, arena_};
    const View features = features_of(pass, maps.subspan(first, std::min(kNumbers, maps.size() - first)));
    for (std::int64_t r = 0; r < features.rows; ++r)
      codes.push_back(nearest_code(codebook(), {features.row(r), static_cast<std::size_t>(features.cols)}));
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
  if (!group_codes_.empty()) state["groups.codes"] = group_codes_;
  for (Part* part : {&encoder_, &decoder_}) {
    state.merge(part->optimizer->state());
    for (Parameter& parameter : part->parameters.all()) state[parameter.name] = parameter.value;
  }
  return state;
}

void CodecTrainer::resume_at(const Steps& steps) {
  for (const float code : group_codes_)
    if (!(code >= 0 && code < static_cast<float>(learned_codes()) && std::floor(code) == code))
      fail(ErrorKind::model, "codec_state", "resuming a run: groups.codes: expected codes of the codebook, got ", code);
  repeat_codes();
  encoder_.optimizer->resume_at(steps.encoder);
  decoder_.optimizer->resume_at(steps.decoder);
  for (Part* part : {&encoder_, &decoder_}) part->parameters.place();
}

}  // namespace paligemma
