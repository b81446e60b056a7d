// Examples for a model, made ahead of it by threads. Which ones and how they are augmented follows from the data, the
// options and the place in the run alone: the same for any number of threads, and from any place on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/target.h"
#include "image/resize.h"

namespace paligemma {

struct LoaderOptions {
  int side = 224;  // of the picture that the model sees
  Resize resize = Resize::pillow;
  Filter filter = Filter::bicubic;
  DecodeOptions decode{};
  AugmentOptions augment{};
  TargetOptions target{};
  bool shuffle = true;    // the order of an epoch; else that of the data
  bool together = false;  // samples about one picture follow each other
  std::uint64_t seed = 0;
  int threads = 0;  // 0: one for each core, but one
  int ahead = 64;   // examples that are made before they are asked for
};

struct Example {
  std::uint64_t epoch = 0, position = 0;  // where it stands in the run
  std::size_t sample = 0;                 // place in Dataset::samples
  int width = 0, height = 0;              // of the picture after augmentation, before it is resized
  Picture picture{};                      // (side, side, 3)
  Target target{};
  double weight = 1;
  // In pixels of width and height: all that is in the picture, where that is known, and the letters of one that is
  // drawn.
  std::optional<std::vector<DecodedObject>> things{};
  std::vector<DecodedObject> letters{};
};

// A sample whose picture could not be read.
struct Skipped {
  std::size_t sample = 0;
  std::string message{};
};

class Loader {
 public:
  // `subset`: places in data.samples. The data outlives the loader. Throws Error{usage, "data_empty"} for none, and for
  // Resize::keras, whose pictures are no 8-bit ones, Error{usage, "bad_value"}.
  Loader(const Dataset& data, std::vector<std::size_t> subset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next example, epoch after epoch without end; a sample that cannot be read is skipped. Throws Error{input,
  // "data_unreadable"} when a whole epoch has none, and what is wrong with anything but a picture (a codec).
  Example next();

  // Goes to a place: that of the last example that was used, and one on. Resuming there gives what would have come.
  void seek(std::uint64_t epoch, std::uint64_t position);

  std::size_t epoch_size() const;
  // Each sample once, in the order in which they were met.
  const std::vector<Skipped>& skipped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The places of samples, each alone, or those about one picture in a group where the first of them stands.
std::vector<std::vector<std::size_t>> groups_of(const Dataset& data, const std::vector<std::size_t>& places,
                                                bool together);

// The order of an epoch's samples. Those of a group stay together.
std::vector<std::size_t> epoch_order(std::vector<std::vector<std::size_t>> groups, std::uint64_t seed,
                                     std::uint64_t epoch);

// Places of a split's samples.
std::vector<std::size_t> places_of(const Dataset& data, Split split);

// One example as the loader makes it, for a plan's drawings and for tests.
Example make_example(const Dataset& data, std::size_t sample, const LoaderOptions& options, std::uint64_t epoch);

}  // namespace paligemma
