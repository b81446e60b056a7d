#include "train/start_model.h"

#include <algorithm>

#include "base/error.h"
#include "data/target.h"
#include "model/gguf_model.h"
#include "pipeline.h"
#include "text/learn_tokenizer.h"
#include "train/new_model.h"

namespace paligemma {
namespace {

// What a model reads and writes about the samples, but for its tokens of places and masks.
std::vector<std::string> texts_of(const Dataset& data) {
  std::vector<std::string> texts;
  for (const Sample& sample : data.samples) {
    Dice dice(0);
    texts.push_back(make_target({.task = sample.task, .prefix = sample.prefix}, data.classes, {}, dice, 0, 0).prefix);
    texts.insert(texts.end(), sample.answers.begin(), sample.answers.end());
    std::string objects;
    for (const SampleObject& object : sample.objects) objects += (objects.empty() ? " " : " ; ") + object.label;
    texts.push_back(objects);
  }
  return texts;
}

// The folder as if it had this codec and no other. The file stays open: checkpoints have it too, hours later.
Folder with_codec(const Folder& folder, const std::filesystem::path& codec) {
  const std::string own = codec.extension() == ".npz" ? "mask_codec.npz" : "mask_codec.safetensors";
  const auto file = std::make_shared<FileBytes>(FileBytes::map(codec, ErrorKind::model));
  const auto is_codec = [](std::string_view name) {
    return std::ranges::find(kCodecFiles, name) != std::end(kCodecFiles);
  };
  return {
      .name = folder.name,
      .has = [folder, own, is_codec](std::string_view name) { return is_codec(name) ? name == own : folder.has(name); },
      .open =
          [folder, own, file](std::string_view name) {
            return name == own ? FileBytes::borrow(file->bytes()) : folder.open(name);
          }};
}

ModelFiles new_model_of(const Recipe& recipe, const Dataset& data) {
  const Config config = parse_new_model(recipe.new_model);
  std::string tokenizer = recipe.tokenizer.empty()
                              ? learn_tokenizer(texts_of(data), static_cast<int>(config.decoder.vocabulary))
                              : std::string(FileBytes::map(recipe.tokenizer, ErrorKind::model).text());
  return new_model_files(config, std::move(tokenizer), static_cast<std::uint64_t>(recipe.seed));
}

}  // namespace

bool is_embedded(const Recipe& recipe) {
  return recipe.new_model.empty() && recipe.model.empty() && (recipe.mode != "full" || recipe.init.empty());
}

ModelFiles start_model(const Recipe& recipe, const Dataset& data) {
  if (!recipe.new_model.empty() && (!recipe.model.empty() || recipe.mode != "full"))
    fail(ErrorKind::usage, "new_model", "--new-model begins with nothing: expected --mode full and no --model, got ",
         recipe.model.empty() ? "--mode " + recipe.mode : "-m " + recipe.model);
  const bool goes_on = recipe.mode == "full" && !recipe.init.empty();
  ModelFiles files = goes_on                     ? find_model(recipe.init)
                     : !recipe.new_model.empty() ? new_model_of(recipe, data)
                                                 : find_model(recipe.model);
  if (!recipe.codec.empty()) files.folder = with_codec(files.folder, recipe.codec);
  return files;
}

}  // namespace paligemma
