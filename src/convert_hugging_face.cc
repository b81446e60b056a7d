// A Hugging Face folder, with the names of the published checkpoints.
#include <algorithm>
#include <cstdio>

#include "convert_forms.h"
#include "io/safetensors.h"
#include "model/gguf_model.h"
#include "model/network.h"
#include "model/tensor_sources.h"

namespace paligemma {
namespace {

// What lies beside the weights and goes along from folder to folder.
constexpr std::string_view kCompanions[] = {"preprocessor_config.json", "processor_config.json", "chat_template.json"};
constexpr std::string_view kTokenizerFiles[] = {"tokenizer.model", "tokenizer.json", "tokenizer_config.json",
                                                "special_tokens_map.json", "added_tokens.json"};

void write_safetensors_files(const Converted& model, const OutputFolder& folder, Meter& meter) {
  std::vector<StreamedArray> tensors;
  Network network(model.config);
  visit(network, model.config, [&](const std::string& name, Weight&, const Shape&, Weight::Form) {
    tensors.push_back(streamed(model.source, name));
  });
  auto files = cut_into_files(meter.watch(std::move(tensors)), model.shard_bytes);
  Json map = Json::object();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    char numbered[64];
    std::snprintf(numbered, sizeof numbered, "model-%05zu-of-%05zu.safetensors", i + 1, files.size());
    const std::string name = files.size() == 1 ? "model.safetensors" : numbered;
    for (const StreamedArray& tensor : files[i]) map[tensor.name] = name, total += tensor.bytes();
    NewFile file(folder.path(name), folder.shown(name));
    write_safetensors(std::move(files[i]), [&](std::span<const std::byte> bytes) { file.write(bytes); });
    file.close();
  }
  if (files.size() > 1)
    folder.write("model.safetensors.index.json",
                 indented({{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}}));
}

Json preprocessor_json(const Config& config) {
  const std::int64_t side = config.vision.image_size();
  return {{"do_convert_rgb", nullptr},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_processor_type", "SiglipImageProcessor"},
          {"image_seq_length", config.vision.tokens()},
          {"image_std", {0.5, 0.5, 0.5}},
          {"processor_class", "PaliGemmaProcessor"},
          {"resample", 3},
          {"rescale_factor", 1.0 / 255.0},
          {"size", {{"height", side}, {"width", side}}}};
}

// What transformers has to know of a tokenizer.model or tokenizer.json that comes alone.
Json tokenizer_config(const Config& config) {
  return {{"tokenizer_class", "GemmaTokenizer"},
          {"processor_class", "PaliGemmaProcessor"},
          {"bos_token", "<bos>"},
          {"eos_token", "<eos>"},
          {"pad_token", "<pad>"},
          {"unk_token", "<unk>"},
          {"additional_special_tokens", {"<image>"}},
          {"add_bos_token", true},
          {"add_eos_token", false},
          {"clean_up_tokenization_spaces", false},
          {"added_tokens_decoder",
           {{std::to_string(*config.image_token),
             {{"content", "<image>"},
              {"lstrip", false},
              {"normalized", false},
              {"rstrip", false},
              {"single_word", false},
              {"special", true}}}}}};
}

}  // namespace

std::vector<CompanionFile> hugging_face_files(const Converted& model, const ModelFiles& from) {
  std::vector<CompanionFile> files;
  const auto add_json = [&](std::string_view name, const Json& json) {
    const std::string text = indented(json);
    files.push_back({std::string(name), FileBytes::copy(std::as_bytes(std::span(text)))});
  };
  const bool own = like_hugging_face(from.form);
  const auto copy = [&](std::string_view name) {
    if (own && from.folder.has(name)) files.push_back({std::string(name), from.folder.open(name)});
    return own && from.folder.has(name);
  };
  add_json("config.json", config_json(model.config, model.dtype));
  if (!copy("generation_config.json"))
    add_json("generation_config.json",
             {{"_from_model_config", true}, {"bos_token_id", 2}, {"eos_token_id", 1}, {"pad_token_id", 0}});
  for (const std::string_view name : kCompanions) copy(name);
  for (const std::string_view name : kCodecFiles) copy(name);
  if (!own || (!from.folder.has("preprocessor_config.json") && !from.folder.has("processor_config.json")))
    add_json("preprocessor_config.json", preprocessor_json(model.config));

  if (!model.tokenizer) return files;
  if (own && model.tokenizer->where.starts_with(from.tokenizer_folder.name + "/")) {
    for (const std::string_view name : kTokenizerFiles) copy(name);
    return files;
  }
  files.push_back({model.tokenizer->is_json() ? "tokenizer.json" : "tokenizer.model",
                   FileBytes::borrow(model.tokenizer->file.bytes())});
  add_json("tokenizer_config.json", tokenizer_config(model.config));
  return files;
}

void write_hugging_face(const Converted& model, const ModelFiles& from, const OutputFolder& folder, Meter& meter) {
  write_safetensors_files(model, folder, meter);
  for (const CompanionFile& file : hugging_face_files(model, from)) folder.write(file.name, file.content.bytes());
}

}  // namespace paligemma
