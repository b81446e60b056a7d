#include "model/model_files.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/memory.h"
#include "io/zip.h"
#include "model/foreign_config.h"
#include "model/gguf_model.h"
#include "model/keras_index.h"
#include "model/network.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// "x.npz" of "x.npz" and of "x.npz.part07", or empty.
std::string npz_name(const std::string& file_name) {
  if (file_name.ends_with(".npz")) return file_name;
  const std::size_t part = file_name.rfind(".npz.part");
  return part == file_name.npos ? std::string() : file_name.substr(0, part + 4);
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

// The pieces of `name` in `folder`, in order: part2 before part10, partaa before partab. Numbers must follow each
// other.
std::vector<fs::path> find_pieces(const fs::path& folder, const std::string& name) {
  const std::string start = name + ".part";
  std::vector<std::pair<std::size_t, std::string>> found;  // by the length of the name first
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string file = it->path().filename().string();
    if (file.starts_with(start)) found.emplace_back(file.size(), file);
  }
  std::ranges::sort(found);
  std::vector<fs::path> pieces;
  int first = 0;
  for (const auto& [length, file] : found) {
    int number = 0;
    const auto [end, wrong] = std::from_chars(file.data() + start.size(), file.data() + length, number);
    const bool numbered = wrong == std::errc{} && end == file.data() + length;
    if (pieces.empty()) first = numbered ? number : 0;
    if (first > 1 || (numbered && number != first + static_cast<int>(pieces.size())))
      fail(ErrorKind::model, "shard_missing", "a part of the model is missing: ", (folder / start).native(),
           ": expected numbers without a gap from 0 or 1, got ", file, " as part ", pieces.size() + 1,
           ". Try: download it again");
    pieces.push_back(folder / file);
  }
  return pieces;
}

std::vector<FileBytes> open_npz(const fs::path& path, const std::string& name) {
  const fs::path folder = folder_of(path);
  std::error_code error;
  std::vector<fs::path> paths{path};
  if (path.filename() != name || !fs::exists(path, error)) {
    paths = find_pieces(folder, name);
    if (paths.empty() || !fs::exists(path.filename() == name ? paths.front() : path, error)) paths = {path};
  }
  std::vector<FileBytes> pieces;
  for (const fs::path& piece : paths) pieces.push_back(FileBytes::map(piece, ErrorKind::model));
  return pieces;
}

ModelFiles open_big_vision(const fs::path& path, const std::string& name) {
  ModelFiles files{.form = Form::big_vision, .where = path.native()};
  files.arrays = npz_arrays(open_npz(path, name), files.where);
  LaidOut laid_out = lay_out(big_vision_layout(), files.arrays);
  files.folder = Folder::on_disk(folder_of(path), ErrorKind::model);
  files.tokenizer_folder = files.folder;
  files.tokenizer_names = {"tokenizer.model", "tokenizer.json"};
  Json beside;
  std::string where = files.where;
  if (files.folder.has("config.json")) {
    where = files.folder.name + "/config.json";
    beside = parse_json(files.folder.open("config.json").text(), where, ErrorKind::model);
  }
  files.config = big_vision_config(laid_out, beside, where);
  files.source = std::move(laid_out.source);
  files.meanings = std::move(laid_out.meanings);
  return files;
}

// Weights of a preset: one file, or an index and its shards.
std::vector<Hdf5> open_weights(const Folder& folder) {
  constexpr std::string_view kIndex = "model.weights.json", kSingle = "model.weights.h5";
  std::vector<Hdf5> files;
  const auto add = [&](const std::string& name) -> const Hdf5& {
    return files.emplace_back(read_hdf5(folder.open(name), folder.name + "/" + name));
  };
  if (!folder.has(kIndex)) {
    add(std::string(kSingle));
    return files;
  }
  const std::string where = folder.name + "/" + std::string(kIndex);
  for (const auto& [name, groups] : read_keras_index(folder.open(kIndex).text(), where)) {
    if (!folder.has(name))
      fail(ErrorKind::model, "shard_missing", "a part of the model is missing: ", folder.name, "/", name, ": named in ",
           kIndex, ". Try: download it again");
    const Hdf5& file = add(name);
    for (const std::string& group : groups) {
      const auto first = file.datasets.lower_bound(group + "/");
      if (first == file.datasets.end() || !first->first.starts_with(group + "/"))
        fail(ErrorKind::model, "index", "damaged index: ", where, ": ", group, " is not in ", name);
    }
  }
  return files;
}

ModelFiles finish_keras(ModelFiles files, const Json& config, const std::string& config_name) {
  files.form = Form::keras;
  LaidOut laid_out = lay_out(keras_layout(), files.arrays);
  files.config = keras_config(laid_out, config, config_name);
  files.source = std::move(laid_out.source);
  files.meanings = std::move(laid_out.meanings);
  return files;
}

ModelFiles open_keras_preset(const fs::path& path) {
  constexpr const char* kTokenizers = "assets/tokenizer";
  const Folder folder = Folder::on_disk(path, ErrorKind::model);
  ModelFiles files{.where = folder.name, .folder = folder, .tokenizer_folder = folder};
  std::error_code error;
  if (fs::is_directory(path / kTokenizers, error))
    files.tokenizer_folder = Folder::on_disk(path / kTokenizers, ErrorKind::model);
  files.tokenizer_names = {"vocabulary.spm"};
  files.arrays = hdf5_arrays(open_weights(folder), folder.name, {});
  if (!folder.has("config.json"))
    fail(ErrorKind::model, "no_config", "no configuration: ", folder.name, ": expected config.json");
  const std::string where = folder.name + "/config.json";
  const Json config = parse_json(folder.open("config.json").text(), where, ErrorKind::model);
  return finish_keras(std::move(files), config, where);
}

std::vector<std::byte> unpack(ZipFile& zip, const std::string& name, std::uint64_t size, const std::string& where) {
  if (const std::uint64_t available = available_memory(); available != 0 && size > available)
    fail(ErrorKind::resource, "out_of_memory", "not enough memory: ", where, ": ", name, " is packed and takes ",
         readable_bytes(size), ", ", readable_bytes(available), " are available");
  std::vector<std::byte> bytes(size);
  zip.read(name, 0, bytes);
  return bytes;
}

// A .keras file: the preset's files in a zip. Weights that are packed are unpacked whole.
ModelFiles open_keras_file(const fs::path& path) {
  struct Owner {
    ZipFile zip;
    std::vector<std::byte> weights;
  };
  const std::string where = path.native();
  std::vector<FileBytes> pieces;
  pieces.push_back(FileBytes::map(path, ErrorKind::model));
  const auto owner = std::make_shared<Owner>(Owner{ZipFile(std::move(pieces), where, "keras"), {}});
  const auto entry = [&](const std::string& name) {
    const auto found = owner->zip.find(name);
    if (!found) fail(ErrorKind::model, "keras", "cannot read: ", where, ": expected ", name, " in it, got none");
    return found->size;
  };
  const std::uint64_t config_size = entry("config.json"), weights_size = entry("model.weights.h5");
  const std::vector<std::byte> config = unpack(owner->zip, "config.json", config_size, where);
  auto weights = owner->zip.view("model.weights.h5");
  if (!weights) {
    owner->weights = unpack(owner->zip, "model.weights.h5", weights_size, where);
    weights = owner->weights;
  }
  std::vector<Hdf5> hdf5;
  hdf5.push_back(read_hdf5(FileBytes::borrow(*weights), where + "/model.weights.h5"));
  ModelFiles files{.where = where, .unpacked = owner->weights.size()};
  files.folder = files.tokenizer_folder = Folder::on_disk(folder_of(path), ErrorKind::model);
  files.tokenizer_names = {"vocabulary.spm", "tokenizer.model"};
  files.arrays = hdf5_arrays(std::move(hdf5), where, owner);
  const std::string_view text(reinterpret_cast<const char*>(config.data()), config.size());
  const std::string config_name = where + "/config.json";
  return finish_keras(std::move(files), parse_json(text, config_name, ErrorKind::model), config_name);
}

// The safetensors of a folder as arrays that are tensors.
ArrayStore checkpoint_arrays(const std::shared_ptr<const Checkpoint>& checkpoint, const std::string& where) {
  ArrayStore arrays{.where = where};
  for (const auto& [name, entry] : checkpoint->tensors())
    arrays.arrays.emplace(name, StoredArray{entry.file_name, entry.tensor.dtype, entry.tensor.shape});
  arrays.others = checkpoint->others();
  arrays.read = [checkpoint](std::string_view name, std::uint64_t offset, std::uint64_t size) {
    return checkpoint->tensors().find(name)->second.tensor.bytes.subspan(offset, size);
  };
  arrays.release = [release = checkpoint->source().release](std::string_view name) { release(name); };
  return arrays;
}

// What a folder without weights may have been meant for.
std::string advice(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "adapter_config.json", error)) return "--adapter " + folder.native() + " beside its model";
  std::string first;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const bool weights = !npz_name(it->path().filename().string()).empty() || it->path().extension() == ".keras" ||
                         it->path().extension() == ".gguf";
    if (weights && (first.empty() || it->path().native() < first)) first = it->path().native();
  }
  return first;
}

}  // namespace

ModelFiles open_model_files(const Folder& folder) {
  const auto checkpoint = std::make_shared<const Checkpoint>(folder);
  ModelFiles files{.form = Form::hugging_face,
                   .where = folder.name,
                   .folder = folder,
                   .tokenizer_folder = folder,
                   .tokenizer_names = {"tokenizer.model", "tokenizer.json"},
                   .owner = checkpoint};
  files.source = checkpoint->source();
  files.config = read_config(folder, files.source.shape);
  files.arrays = checkpoint_arrays(checkpoint, folder.name);
  Network network(files.config);
  visit(network, files.config,
        [&](const std::string& name, Weight&, const Shape&, Weight::Form) { files.meanings[name] = {name}; });
  return files;
}

ModelFiles open_model_files(const fs::path& path) {
  const std::string npz = npz_name(path.filename().string());
  std::error_code error;
  if (!npz.empty() && !fs::is_directory(path, error)) return open_big_vision(path, npz);
  if (path.extension() == ".keras" && !fs::is_directory(path, error)) return open_keras_file(path);
  if (path.extension() == ".gguf" && !fs::is_directory(path, error))
    return open_gguf(FileBytes::map(path, ErrorKind::model), path.native(),
                     Folder::on_disk(folder_of(path), ErrorKind::model));
  const Folder folder = Folder::on_disk(path, ErrorKind::model);
  if (folder.has("model.weights.h5") || folder.has("model.weights.json")) return open_keras_preset(path);
  try {
    return open_model_files(folder);
  } catch (const Error& error) {
    const std::string try_this = error.code() == "no_weights" ? advice(path) : "";
    if (try_this.empty()) throw;
    throw Error(error.kind(), error.code(), join(error.what(), ". Try: ", try_this));
  }
}

}  // namespace paligemma
