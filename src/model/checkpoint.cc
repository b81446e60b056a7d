#include "model/checkpoint.h"

#include <set>

#include "io/json.h"

namespace paligemma {
namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string canonical_name(std::string_view name) {
  take_prefix(name, "model.");
  if (name == "language_model.lm_head.weight") return "lm_head.weight";
  if (take_prefix(name, "language_model.")) {
    take_prefix(name, "model.");
    return "language_model.model." + std::string(name);
  }
  if (take_prefix(name, "vision_tower.")) {
    take_prefix(name, "vision_model.");
    return "vision_tower.vision_model." + std::string(name);
  }
  return std::string(name);
}

Checkpoint::Checkpoint(const Folder& folder) {
  const std::string_view index_name = "model.safetensors.index.json";
  if (!folder.has(index_name)) {
    if (!folder.has("model.safetensors"))
      fail(ErrorKind::model, "no_weights", "no weights: ", folder.name, ": expected model.safetensors or ", index_name);
    add_shard(folder, "model.safetensors");
    return;
  }
  const std::string where = folder.name + "/" + std::string(index_name);
  const FileBytes index = folder.open(index_name);
  const Json json = parse_json(index.text(), where, ErrorKind::model);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object())
    fail(ErrorKind::model, "index", "damaged index: ", where, ": expected an object \"weight_map\"");
  std::set<std::string> files;
  for (const auto& [name, file] : map->items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      fail(ErrorKind::model, "index", "damaged index: ", where, ": ", name, ": expected a file name, got ",
           file.dump());
    files.insert(file.get<std::string>());
  }
  for (const std::string& file : files) {
    if (!folder.has(file))
      fail(ErrorKind::model, "shard_missing", "a part of the model is missing: ", folder.name, "/", file, ": named in ",
           index_name, ". Try: download it again");
    add_shard(folder, file);
  }
  for (const auto& [name, file] : map->items())
    if (!tensors_.contains(canonical_name(name)) && !others_.contains(canonical_name(name)))
      fail(ErrorKind::model, "index", "damaged index: ", where, ": ", name, " is not in ", file.get<std::string>());
}

void Checkpoint::add_shard(const Folder& folder, const std::string& file) {
  const std::string where = folder.name + "/" + file;
  Safetensors shard = read_safetensors(folder.open(file), where);
  for (const auto& [name, tensor] : shard.tensors)
    if (!tensors_.try_emplace(canonical_name(name), Entry{name, shards_.size(), tensor}).second)
      fail(ErrorKind::model, "tensor_twice", "a tensor stands twice: ", where, ": ", name, " is also ",
           tensors_.find(canonical_name(name))->second.file_name);
  for (const auto& [name, tensor] : shard.others) others_.emplace(canonical_name(name), tensor.dtype);
  shards_.push_back(std::move(shard));
}

TensorSource Checkpoint::source() const {
  const auto find = [this](std::string_view name) {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  };
  return {
      .shape = [this, find](std::string_view name) -> std::optional<std::vector<std::int64_t>> {
        if (const Entry* entry = find(name)) return entry->tensor.shape;
        if (const auto other = others_.find(name); other != others_.end())
          fail(ErrorKind::model, "tensor_dtype", "cannot load the model: tensor ", name,
               ": expected F32, BF16 or F16, got ", other->second, ". Try: a checkpoint that is not quantized");
        return {};
      },
      .dtype = [find](std::string_view name) { return find(name)->tensor.dtype; },
      .rows = [find](std::string_view name, std::int64_t first,
                     std::int64_t count) { return find(name)->tensor.rows(first, count); },
      .release =
          [this, find](std::string_view name) {
            const Entry* entry = find(name);
            shards_[entry->shard].file.release(entry->tensor.bytes);
          },
  };
}

}  // namespace paligemma
