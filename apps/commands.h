// The commands of the program, one file each.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "console.h"
#include "output.h"

namespace paligemma {

// What a command writes to.
struct Session {
  Output output;    // stdout
  Console console;  // stderr
};

struct Command {
  static constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);
  std::string_view name{};
  std::string_view words{};  // what follows the name: "LABELS IMAGE..."
  std::size_t fewest_words = 0, most_words = kAnyNumber;
  std::string_view summary{};   // one line
  std::string_view examples{};  // one a line
  // Does the work and returns the exit code. Throws paligemma::Error.
  int (*run)(const Command& command, std::span<const std::string> arguments, Session& session) = nullptr;
};

extern const Command kCaption, kOcr, kAsk, kQuestion, kDetect, kSegment, kRun, kDemo, kInspect, kConvert, kQuantize,
    kMerge, kTrain, kTrainCodec, kEval, kCompare, kScenes, kDoctor, kBench, kVersion;

}  // namespace paligemma
