// The arrays of a file that is no Hugging Face folder, by name: what layout.h makes tensors of.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "io/file.h"
#include "io/hdf5.h"

namespace paligemma {

struct StoredArray {
  std::string file_name{};  // as written in the file
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape{};
  std::string type{};  // as written, where that is no DType: its numbers come from the TensorSource alone
};

struct ArrayStore {
  std::string where;  // names the file in messages
  std::map<std::string, StoredArray, std::less<>> arrays{};
  // name -> type as written, for arrays of types that the network does not compute with
  std::map<std::string, std::string, std::less<>> others{};
  // `size` bytes of an array from `offset` on, valid until the next call.
  std::function<std::span<const std::byte>(std::string_view name, std::uint64_t offset, std::uint64_t size)> read{};
  // What was read of it will not be asked for again.
  std::function<void(std::string_view name)> release{};
};

// The file, or the parts that it was cut into, in order. The prefixes that training programs write before the names of
// big_vision's parameters ("params/", "opt/target/") are taken off. Throws Error{model, "npz" | "tensor_twice"}.
ArrayStore npz_arrays(std::vector<FileBytes> pieces, const std::string& where);

// The datasets of all files, by path. `owner` keeps what the files borrow from. Throws Error{model, "tensor_twice"}.
ArrayStore hdf5_arrays(std::vector<Hdf5> files, const std::string& where, std::shared_ptr<const void> owner);

}  // namespace paligemma
