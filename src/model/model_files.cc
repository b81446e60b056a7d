#include "model/model_files.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "model/foreign_config.h"
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
  return open_model_files(Folder::on_disk(path, ErrorKind::model));
}

}  // namespace paligemma
