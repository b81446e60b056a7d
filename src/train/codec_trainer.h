// The mask codec's training, a VQ-VAE after "All in Tokens": maps through the encoder to the nearest codes and back,
// the mean square of what differs, the gradient passed over the codes as if they were the features, and a pull of the
// features to their codes (commitment). At first without codes; at the end the decoder alone, for codes that stay.
// Weights are changed by Muon: it comes as far as AdamW in a fraction of the steps.
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

enum class CodecPhase { features, codes, decoder };

struct CodecStep {
  double loss = 0;  // the mean square, and the commitment
  double gradient_norm = 0;
  bool skipped = false;  // not finite, and nothing has changed
};

class CodecTrainer {
 public:
  static constexpr double kCommitment = 1;

  // Begins from the arrays of a codec, which must have an encoder. Throws Error{model, "codec"}.
  CodecTrainer(const CodecFile& file, std::string_view where, Backend& backend);

  // `maps` are coverages (count, 64, 64). `seed` is of this step.
  // `lr` is Muon's.
  CodecStep step(std::span<const float> maps, CodecPhase phase, double lr, std::uint64_t seed);
  // Finds the codes that the phase `codes` begins with.
  void start_codes(std::span<const float> maps, std::uint64_t seed);

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

  // What a checkpoint keeps, by name: values, moments and the codebook; and the steps that have changed them.
  std::map<std::string, std::span<float>> state();
  struct Steps {
    std::int64_t encoder = 0, decoder = 0;
  };
  Steps steps() const { return {encoder_.optimizer->steps(), decoder_.optimizer->steps()}; }
  // Behind a change of the state.
  void resume_at(const Steps& steps);

  const CodecNetwork& network() const { return network_; }

 private:
  struct Part {
    explicit Part(Backend& backend) : parameters(backend) {}
    Parameters parameters;
    std::optional<Optimizer> optimizer{};
  };
  void add_part(Part& part, std::vector<CodecStage>& stages, const CodecFile& file);
  View features_of(Pass& pass, std::span<const float> maps);

  Backend& backend_;
  Arena arena_;
  CodecNetwork network_;
  Codebook codebook_;
  Part encoder_, decoder_;
};

}  // namespace paligemma
