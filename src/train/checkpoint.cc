#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/blocks.h"
#include "convert.h"
#include "io/json_fields.h"
#include "io/output_folder.h"
#include "io/safetensors.h"
#include "model/adapter_files.h"
#include "model/trained_numerics.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr const char *kStateFile = "training_state.json", *kStateTensors = "training_state.safetensors";
constexpr std::string_view kStepPrefix = "step-", kPartialPrefix = ".partial-";

std::string step_name(std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

[[noreturn]] void fail_write(const fs::path& path, const std::error_code& error) {
  fail(ErrorKind::failure, "write_failed", "cannot write: ", path.string(), ": ", error.message());
}

StreamedArray numbers(std::string name, std::span<const float> values) {
  return {.name = std::move(name),
          .dtype = DType::f32,
          .shape = {std::ssize(values)},
          .pieces = 1,
          .piece = [values](std::size_t) { return std::as_bytes(values); },
          .done = [] {}};
}

void write_tensors(const OutputFolder& folder, const char* name, std::vector<StreamedArray> arrays) {
  for (StreamedArray& array : arrays)
    if (!array.done) array.done = [] {};
  NewFile file(folder.path(name), folder.shown(name));
  write_safetensors(std::move(arrays), [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.close();
}

// What a checkpoint is beside its weights.
void write_state(const fs::path& folder_path, Trainee& trainee, const RunPosition& position) {
  OutputFolder folder(folder_path);
  folder.write(kTrainedNumericsFile, to_json(trained_numerics(trainee.pipeline->config)).dump(1) + "\n");
  folder.write(kStateFile, Json({{"schema", "paligemma.run/1"},
                                 {"step", position.step},
                                 {"epoch", position.epoch},
                                 {"place", position.place},
                                 {"best", position.best ? Json(*position.best) : Json()},
                                 {"best_loss", position.best_loss},
                                 {"best_step", position.best_step},
                                 {"worse", position.worse},
                                 {"skipped", position.skipped},
                                 {"skipped_in_row", position.skipped_in_row},
                                 {"data", position.data}})
                                   .dump(1) +
                               "\n");
  std::vector<StreamedArray> arrays;
  for (const Parameter& p : trainee.parameters->all()) arrays.push_back(numbers(p.name + ".value", p.value));
  for (const auto& [name, values] : trainee.optimizer->state()) arrays.push_back(numbers(name, values));
  write_tensors(folder, kStateTensors, std::move(arrays));
  folder.commit(true);
}

void write_weights(const fs::path& path, Trainee& trainee, std::string_view save_type) {
  if (trainee.adapter) {
    OutputFolder folder(path);
    folder.write(kAdapterConfigFile, trainee.adapter_config.dump(1) + "\n");
    write_tensors(folder, kAdapterTensorFile, adapter_arrays(trainee.adapter->tensors(), trainee.pipeline->config));
    folder.commit(true);
    return;
  }
  ModelFiles files = trainee.files;
  files.source = trained_source(trainee);
  files.config = trainee.pipeline->config;
  ConvertOptions options{.tokenizer = trainee.pipeline->options.tokenizer, .force = true};
  if (save_type == "f32") options.weights = DType::f32;
  if (save_type == "bf16") options.weights = DType::bf16;
  convert(files, path, options);
}

// `name` in `out` becomes a link to `target`, at once.
void point(const fs::path& out, const char* name, const std::string& target) {
  const fs::path link = out / name, next = out / join(kPartialPrefix, name);
  std::error_code error;
  fs::remove(next, error);
  fs::create_directory_symlink(target, next, error);
  if (error) fail_write(link, error);
  fs::rename(next, link, error);
  if (error) fail_write(link, error);
}

std::string pointed(const fs::path& out, const char* name) {
  std::error_code error;
  return fs::read_symlink(out / name, error).filename().string();
}

// Checkpoints that nothing asks for any more, and what a killed run left.
void prune(const fs::path& out, std::int64_t keep) {
  std::vector<std::string> steps;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(out, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPartialPrefix)) fs::remove_all(entry.path(), error);
    if (name.starts_with(kStepPrefix) && entry.is_directory(error)) steps.push_back(name);
  }
  std::ranges::sort(steps, std::greater());
  for (std::size_t i = static_cast<std::size_t>(keep); i < steps.size(); ++i)
    if (steps[i] != pointed(out, kBestLink) && steps[i] != pointed(out, kLastLink))
      fs::remove_all(out / steps[i], error);
}

}  // namespace

void save_checkpoint(const fs::path& out, Trainee& trainee, const RunPosition& position, bool is_best,
                     std::int64_t keep, std::string_view save_type) {
  const std::string name = step_name(position.step);
  const fs::path partial = out / join(kPartialPrefix, name), whole = out / name;
  std::error_code error;
  fs::remove_all(partial, error);
  try {
    trainee.optimizer->swap_with_average();
    write_weights(partial, trainee, save_type);
    trainee.optimizer->swap_with_average();
    write_state(partial, trainee, position);
  } catch (...) {
    fs::remove_all(partial, error);
    throw;
  }
  fs::remove_all(whole, error);  // of a run that came so far before and was taken up earlier
  fs::rename(partial, whole, error);
  if (error) fail_write(whole, error);
  if (is_best) point(out, kBestLink, name);
  point(out, kLastLink, name);
  prune(out, keep);
}

fs::path last_checkpoint(const fs::path& out) {
  std::error_code error;
  const fs::path last = out / kLastLink;
  if (!fs::exists(last / kStateFile, error))
    fail(ErrorKind::usage, "no_checkpoint", "no run to resume: ", out.string(), ": expected ", kLastLink,
         " to point to a checkpoint. Try: paligemma train DATA -o ", out.string());
  return out / pointed(out, kLastLink);
}

RunPosition read_position(const fs::path& checkpoint) {
  const std::string where = (checkpoint / kStateFile).string();
  const FileBytes file = FileBytes::map(checkpoint / kStateFile, ErrorKind::model);
  const Json json = parse_json(file.text(), where, ErrorKind::model);
  RunPosition position;
  try {
    position.step = json.at("step").get<std::int64_t>();
    position.epoch = json.at("epoch").get<std::uint64_t>();
    position.place = json.at("place").get<std::uint64_t>();
    if (!json.at("best").is_null()) position.best = json.at("best").get<double>();
    if (!json.at("best_loss").is_null()) position.best_loss = json.at("best_loss").get<double>();
    position.best_step = json.at("best_step").get<std::int64_t>();
    position.worse = json.at("worse").get<std::int64_t>();
    position.skipped = json.at("skipped").get<std::int64_t>();
    position.skipped_in_row = json.at("skipped_in_row").get<std::int64_t>();
    position.data = json.at("data").get<std::uint64_t>();
  } catch (const Json::exception& error) {
    fail(ErrorKind::model, "training_state", "cannot resume: ", where, ": ", error.what());
  }
  return position;
}

namespace {

class StateTensors {
 public:
  explicit StateTensors(const fs::path& folder)
      : where_((folder / kStateTensors).string()),
        file_(read_safetensors(FileBytes::map(folder / kStateTensors, ErrorKind::model), where_)) {}

  bool has(const std::string& name) const { return file_.tensors.contains(name); }

  void load(const std::string& name, std::span<float> values) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end() || found->second.dtype != DType::f32 ||
        found->second.bytes.size() != values.size_bytes())
      fail(ErrorKind::model, "training_state", "cannot resume: ", where_, ": ", name, ": expected ", values.size(),
           " numbers of f32, got ", found == file_.tensors.end() ? 0 : found->second.elements());
    std::memcpy(values.data(), found->second.bytes.data(), values.size_bytes());
  }

 private:
  std::string where_;
  Safetensors file_;
};

}  // namespace

void load_state(const fs::path& checkpoint, const RunPosition& position, Trainee& trainee) {
  const StateTensors state(checkpoint);
  for (const Parameter& p : trainee.parameters->all()) state.load(p.name + ".value", p.value);
  for (const auto& [name, values] : trainee.optimizer->state()) state.load(name, values);
  trainee.optimizer->resume_at(position.step - position.skipped);
  trainee.place();
}

void load_values(const fs::path& folder, std::string_view names, Trainee& trainee) {
  std::error_code error;
  if (!fs::exists(folder / kStateTensors, error)) return;
  const StateTensors state(folder);
  for (const Parameter& p : trainee.parameters->all())
    if (p.name.starts_with(names) && state.has(p.name + ".value")) state.load(p.name + ".value", p.value);
  trainee.place();
}

}  // namespace paligemma
