#include "train/codec_state.h"

#include <cmath>

#include "base/error.h"
#include "io/safetensors.h"

namespace paligemma {
namespace {

constexpr const char* kSteps = "steps";  // of the run, of the whole, of the decoder alone; exact up to 2^24

}  // namespace

void write_codec_state(CodecTrainer& trainer, std::int64_t steps, const std::filesystem::path& path) {
  const std::array counts{static_cast<float>(steps), static_cast<float>(trainer.steps().encoder),
                          static_cast<float>(trainer.steps().decoder)};
  std::vector<StreamedArray> arrays;
  const auto add = [&](const std::string& name, std::span<const float> values) {
    arrays.push_back({.name = name,
                      .shape = {static_cast<std::int64_t>(values.size())},
                      .pieces = 1,
                      .piece = [values](std::size_t) { return std::as_bytes(values); },
                      .done = [] {}});
  };
  add(kSteps, counts);
  for (const auto& [name, values] : trainer.state()) add(name, values);
  std::vector<std::byte> file;
  write_safetensors(std::move(arrays),
                    [&](std::span<const std::byte> bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); });
  write_file(path, file, true);
}

std::int64_t read_codec_state(CodecTrainer& trainer, FileBytes file, std::string_view where) {
  const Safetensors tensors = read_safetensors(std::move(file), where);
  const auto read = [&](const std::string& name, std::span<float> values) {
    const auto found = tensors.tensors.find(name);
    if (found == tensors.tensors.end() || found->second.dtype != DType::f32 ||
        found->second.elements() != values.size())
      fail(ErrorKind::model, "codec_state", "resuming a run: ", where, ": ", name, ": expected ", values.size(),
           " f32 numbers, got ", found == tensors.tensors.end() ? "none" : shape_text(found->second.shape));
    std::memcpy(values.data(), found->second.bytes.data(), values.size_bytes());
  };
  std::array<float, 3> counts{};
  read(kSteps, counts);
  for (const float count : counts)
    if (!(count >= 0 && count <= 0x1p24f && std::floor(count) == count))
      fail(ErrorKind::model, "codec_state", "resuming a run: ", where, ": steps: expected whole numbers, got ", count);
  for (const auto& [name, values] : trainer.state()) read(name, values);
  trainer.resume_at({static_cast<std::int64_t>(counts[1]), static_cast<std::int64_t>(counts[2])});
  return static_cast<std::int64_t>(counts[0]);
}

}  // namespace paligemma
