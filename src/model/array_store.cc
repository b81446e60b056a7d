#include "model/array_store.h"

#include <memory>

#include "base/error.h"
#include "io/npz.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kLargeRead = std::uint64_t{1} << 20;

std::string without_prefix(std::string_view name) {
  for (const std::string_view prefix : {"params/", "opt/target/"})
    if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
  return std::string(name);
}

}  // namespace

ArrayStore npz_arrays(std::vector<FileBytes> pieces, const std::string& where) {
  struct State {
    NpzFile file;
    std::map<std::string, std::string, std::less<>> file_names;
    std::vector<std::byte> buffer;
  };
  const auto state = std::make_shared<State>(State{NpzFile(std::move(pieces), where), {}, {}});
  ArrayStore store{.where = where};
  for (const auto& [file_name, entry] : state->file.entries()) {
    const std::string name = without_prefix(file_name);
    if (const auto [at, added] = state->file_names.emplace(name, file_name); !added)
      fail(ErrorKind::model, "tensor_twice", "an array stands twice: ", where, ": ", file_name, " is also ",
           at->second);
    if (entry.dtype)
      store.arrays.emplace(name, StoredArray{file_name, *entry.dtype, entry.shape});
    else
      store.others.emplace(name, entry.descr);
  }
  store.read = [state](std::string_view name, std::uint64_t offset, std::uint64_t size) {
    state->buffer.resize(size);
    state->file.read(state->file_names.find(name)->second, offset, state->buffer);
    if (size >= kLargeRead) state->file.release();  // its pages have been copied
    return std::span<const std::byte>(state->buffer);
  };
  store.release = [state](std::string_view) { state->file.release(); };
  return store;
}

ArrayStore hdf5_arrays(std::vector<Hdf5> files, const std::string& where, std::shared_ptr<const void> owner) {
  struct State {
    std::vector<Hdf5> files;
    std::shared_ptr<const void> owner;
    std::map<std::string, std::pair<const Hdf5*, std::span<const std::byte>>, std::less<>> places;
  };
  const auto state = std::make_shared<State>(State{std::move(files), std::move(owner), {}});
  ArrayStore store{.where = where};
  for (const Hdf5& file : state->files) {
    for (const auto& [path, tensor] : file.datasets) {
      if (!state->places.try_emplace(path, &file, tensor.bytes).second)
        fail(ErrorKind::model, "tensor_twice", "an array stands twice: ", where, ": ", path, " is in two files");
      store.arrays.emplace(path, StoredArray{path, tensor.dtype, tensor.shape});
    }
    store.others.insert(file.skipped.begin(), file.skipped.end());
  }
  store.read = [state](std::string_view name, std::uint64_t offset, std::uint64_t size) {
    return state->places.find(name)->second.second.subspan(offset, size);
  };
  store.release = [state](std::string_view name) {
    const auto& [file, bytes] = state->places.find(name)->second;
    file->file.release(bytes);
  };
  return store;
}

}  // namespace paligemma
