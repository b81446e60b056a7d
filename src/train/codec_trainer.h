// The mask codec's training, a VQ-VAE after "All in Tokens": maps through the encoder to the nearest codes and back,
// the mean square of what differs, the gradient passed over the codes as if they were the features, and a pull of the
// features to their codes (commitment). At first without codes; at the end the decoder alone, for codes that stay.
// Weights are changed by Muon: it comes as far as AdamW in a fraction of the steps.
//
// Of masks in groups (train/mask_groups.h) each learns the map and the codes of its group: the mean and the mask go
// through the network together, both become the mean, and features of both are pulled to the codes of the mean. Some
// codes change places between the two, so that a few wrong ones cost little. At the end the groups' codes stay as they
// are; the encoder learns to choose these, as a classifier does, and the decoder what they stand for.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detect/codec_network.h"
#include "train/codebook.h"
#include "train/optimizer.h"

namespace paligemma {

enum class CodecPhase { features, codes, decoder, choices };  // choices: instead of decoder, of masks in groups

struct CodecStep {
  double loss = 0;  // the mean square, and the commitment
  double gradient_norm = 0;
  bool skipped = false;  // not finite, and nothing has changed
};

class CodecTrainer {
 public:
  static constexpr double kCommitment = 1;

  // Begins from the arrays of a codec, which must have an encoder. Of its codes those before the first one again are
  // learned, and the others stay copies. `groups`: of masks, where there are any. Throws Error{model, "codec"}.
  CodecTrainer(const CodecFile& file, std::string_view where, Backend& backend, int groups = 0);

  // `maps` are coverages (count, 64, 64), `groups` those of the last half of them, as in CodecBatch. `seed` is of this
  // step. `lr` is Muon's.
  CodecStep step(std::span<const float> maps, CodecPhase phase, double lr, std::uint64_t seed,
                 std::span<const int> groups = {});
  // Finds the codes that the phase `codes` begins with.
  void start_codes(std::span<const float> maps, std::uint64_t seed);

  // Gives groups the codes of their means (groups, 64, 64): for the phase `choices`.
  void keep_codes(std::span<const float> means);

  // (count, 16) of maps, and the maps of codes, (count, 64, 64).
  std::vector<int> encode(std::span<const float> maps);
  std::vector<float> decode(std::span<const int> codes);

  // The codec as a file has it.
  struct Array {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  std::vector<Array> arrays() const;

  // What a checkpoint keeps, by name: values, moments, the codebook and the groups' codes; and the steps that have
  // changed them.
  std::map<std::string, std::span<float>> state();
  struct Steps {
    std::int64_t encoder = 0, decoder = 0;
  };
  Steps steps() const { return {encoder_.optimizer->steps(), decoder_.optimizer->steps()}; }
  // Behind a change of the state.
  void resume_at(const Steps& steps);

  const CodecNetwork& network() const { return network_; }
  int learned_codes() const { return codebook_.codes(); }

 private:
  struct Part {
    explicit Part(Backend& backend) : parameters(backend) {}
    Parameters parameters;
    std::optional<Optimizer> optimizer{};
  };
  void add_part(Part& part, std::vector<CodecStage>& stages, const CodecFile& file);
  View features_of(Pass& pass, std::span<const float> maps);
  struct Coded {
    std::vector<int> codes;  // of the features, but for choices
    double loss = 0;
  };
  View coded(Pass& pass, ConstView features, bool grouped, std::uint64_t seed, Coded& result);
  View choices(Pass& pass, ConstView features, std::span<const int> groups, std::uint64_t seed, Coded& result);
  std::span<const float> codebook() const;  // without copies
  std::span<const float> code(int code) const;
  void repeat_codes();

  Backend& backend_;
  Arena arena_;
  CodecNetwork network_;
  std::size_t learned_;  // numbers of the codebook; behind them are copies
  Codebook codebook_;
  std::vector<float> group_codes_;  // (groups, 16), whole numbers
  Part encoder_, decoder_;
};

}  // namespace paligemma
