// A KerasHub preset, as keras_hub 0.32 saves one.
#include <cstdio>

#include "base/error.h"
#include "convert_forms.h"
#include "io/hdf5.h"
#include "model/foreign_config.h"
#include "model/keras_groups.h"
#include "model/layout.h"
#include "model/load.h"

namespace paligemma {
namespace {

constexpr std::string_view kKerasVersion = "3.15.1", kKerasHubVersion = "0.32.0";

// "a/vars/0" -> "a/vars".
std::string group_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// A layer as Keras serialises it.
Json layer(const std::string& module, const std::string& name, const std::string& class_name, const char* dtype,
           const Json& fields) {
  Json config = {{"name", name}, {"trainable", true}};
  config["dtype"] = {
      {"module", "keras"}, {"class_name", "DTypePolicy"}, {"config", {{"name", dtype}}}, {"registered_name", nullptr}};
  config.update(fields);
  return {{"module", "keras_hub.src.models.pali_gemma." + module},
          {"class_name", class_name},
          {"config", std::move(config)},
          {"registered_name", "keras_hub>" + class_name}};
}

void write_tokenizer(const Converted& model, const OutputFolder& folder) {
  if (!model.tokenizer || model.tokenizer->is_json()) return;
  folder.write("assets/tokenizer/vocabulary.spm", model.tokenizer->file.bytes());
  folder.write("tokenizer.json",
               indented(layer("pali_gemma_tokenizer", "pali_gemma_tokenizer", "PaliGemmaTokenizer", "int32",
                              {{"config_file", "tokenizer.json"},
                               {"proto", nullptr},
                               {"sequence_length", nullptr},
                               {"add_bos", false},
                               {"add_eos", false}})));
}

// Pictures are squashed, as in training; KerasHub's own default cuts their sides off.
Json image_converter(const Config& config) {
  const std::int64_t side = config.vision.image_size();
  return layer("pali_gemma_image_converter", "pali_gemma_image_converter", "PaliGemmaImageConverter", "float32",
               {{"image_size", {side, side}},
                {"scale", 1 / 127.5},
                {"offset", -1},
                {"interpolation", "bilinear"},
                {"antialias", false},
                {"crop_to_aspect_ratio", false},
                {"pad_to_aspect_ratio", false},
                {"bounding_box_format", "yxyx"}});
}

void write_file(const std::string& name, std::span<const StreamedArray> arrays,
                std::map<std::string, std::string> names, const OutputFolder& folder) {
  Hdf5Layout layout{.datasets = {}, .names = std::move(names)};
  for (const StreamedArray& array : arrays) layout.datasets.push_back({array.name, array.dtype, array.shape});
  NewFile file(folder.path(name), folder.shown(name));
  const auto source = [&](std::size_t index, const ByteSink& put) {
    for (std::size_t i = 0; i < arrays[index].pieces; ++i) put(arrays[index].piece(i));
    arrays[index].done();
  };
  write_hdf5(layout, source, [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.close();
}

std::string shard_name(std::size_t i) {
  char name[64];
  std::snprintf(name, sizeof name, "model_%05zu.weights.h5", i);
  return name;
}

void write_hdf5_files(const Converted& model, const OutputFolder& folder, Meter& meter) {
  std::map<std::string, std::string> names = keras_group_names(model.config);
  auto files =
      cut_into_files(meter.watch(layout_arrays(keras_layout(), model.config, model.source)), model.shard_bytes);
  if (files.size() == 1) return write_file("model.weights.h5", files.front(), std::move(names), folder);

  // A group is named in the first file that has variables of it, one without any in the first of all.
  std::vector<std::map<std::string, std::string>> named(files.size());
  std::map<std::string, std::vector<std::string>> places;  // group -> files
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i)
    for (const StreamedArray& array : files[i]) {
      const std::string group = group_of(array.name);
      std::vector<std::string>& in = places[group];
      if (in.empty() || in.back() != shard_name(i)) in.push_back(shard_name(i));
      if (auto name = names.extract(group)) named[i].insert(std::move(name));
      total += array.bytes();
    }
  named.front().merge(names);
  for (std::size_t i = 0; i < files.size(); ++i) write_file(shard_name(i), files[i], std::move(named[i]), folder);
  Json map = Json::object();
  for (const auto& [group, in] : places) map["/" + group] = in;
  folder.write("model.weights.json",
               indented({{"metadata", {{"total_size", static_cast<double>(total)}}}, {"weight_map", std::move(map)}}));
}

}  // namespace

void write_keras(const Converted& model, const OutputFolder& folder, Meter& meter) {
  const Json config = keras_config_json(model.config, model.dtype);  // refuses before anything is written
  write_hdf5_files(model, folder, meter);
  folder.write("config.json", indented(config));
  folder.write("metadata.json", indented({{"keras_version", kKerasVersion},
                                          {"keras_hub_version", kKerasHubVersion},
                                          {"parameter_count", parameter_count(model.config)},
                                          {"tasks", {"CausalLM"}}}));
  folder.write("image_converter.json", indented(image_converter(model.config)));
  write_tokenizer(model, folder);
}

}  // namespace paligemma
