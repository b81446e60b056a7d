// A data set whose file of annotations is the input, beside pictures "a.png" and "b.png".
#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/target.h"
#include "detect/parse.h"
#include "image/encode.h"

namespace data_folder {

using namespace paligemma;

inline void write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Made once; `others` are files beside the input.
inline const std::filesystem::path& folder(std::initializer_list<std::pair<const char*, const char*>> others) {
  static const std::filesystem::path path = [&] {
    std::string name = (std::filesystem::temp_directory_path() / "paligemma_fuzz_XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    for (const char* picture : {"a.png", "b.png"}) {
      Picture drawn{.width = 8, .height = 4};
      drawn.rgb.assign(std::size_t{3} * 8 * 4, 7);
      const auto bytes = encode_picture(drawn, "png");
      write(name + "/" + picture, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    for (const auto& [file, text] : others) write(name + "/" + file, text);
    std::atexit([] { std::filesystem::remove_all(folder({})); });
    return std::filesystem::path(name);
  }();
  return path;
}

inline void require(bool condition) {
  if (!condition) __builtin_trap();
}

inline void check_target(const DecodedSample& sample, const Dataset& data) {
  TargetOptions options{.fill_to = 3};
  options.encode = [](const Mask& mask, const std::array<double, 4>&) {
    require(!mask.inside.empty() && mask.inside.size() == std::size_t(mask.width) * mask.height);
    require(mask.x >= 0 && mask.y >= 0);
    return std::array<int, 16>{};
  };
  Dice dice(1);
  const Target target = make_target(sample, data.classes, options, dice, 1, 0);
  if (sample.task != SampleTask::detect && sample.task != SampleTask::segment) return;
  const Parsed parsed = parse_objects(target.text(), {.width = 8, .height = 4}, {});
  require(parsed.warnings.empty() && parsed.objects.size() >= sample.objects.size());
}

inline void check(const Dataset& data) {
  std::set<std::string_view> ids;
  require(!data.samples.empty());
  for (const Sample& sample : data.samples) {
    require(!sample.id.empty() && ids.insert(sample.id).second);
    require(std::isfinite(sample.weight) && sample.weight >= 0);
    for (const SampleObject& object : sample.objects)
      require(std::isfinite(object.box[0]) && object.box[0] < object.box[2] && object.box[1] < object.box[3]);
    try {
      DecodedSample decoded = decode_sample(sample);
      check_target(decoded, data);
      Dice dice(2);
      move_sample(decoded, data.classes, parse_augment("flip,crop,zoom-out"), dice);
      check_target(decoded, data);
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::input || error.code() == "mask");
    }
  }
  require(!summary(data, "list").empty());
  fingerprint(data);
}

// Reads the input as the file `name`. True where it is data. Whether masks are wanted follows from the size.
inline bool read(const std::uint8_t* bytes, std::size_t size, const char* name,
                 std::initializer_list<std::pair<const char*, const char*>> others = {}) {
  const std::filesystem::path file = folder(others) / name;
  write(file, {reinterpret_cast<const char*>(bytes), size});
  try {
    check(open_dataset(file, {.task = size % 2 == 0 ? SampleTask::detect : SampleTask::segment}));
    return true;
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::usage && !error.code().empty());
    return false;
  }
}

}  // namespace data_folder
