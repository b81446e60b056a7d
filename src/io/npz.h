// Reads numpy's .npz: a zip of .npy arrays, stored or deflated. Little-endian f4, f2, and bf16 as numpy writes it
// (two-byte void, "|V2"); C order only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "io/zip.h"

namespace paligemma {

struct NpzEntry {
  std::string descr;           // type as written
  std::optional<DType> dtype;  // nothing for types that are not read
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;        // of data
  std::uint64_t data_offset = 0;  // in the zip's entry
};

// An .npz whose arrays are read piece by piece: the whole is never unpacked.
class NpzFile {
 public:
  // `pieces` are the file, or the parts that it was cut into, in order. Reads the headers alone. `where` names the file
  // in messages. Throws Error{model, "npz"}.
  NpzFile(std::vector<FileBytes> pieces, std::string where);

  // By name, without ".npy".
  const std::map<std::string, NpzEntry, std::less<>>& entries() const { return entries_; }

  // Bytes of data from `offset` on; ZipFile::read() says in which order to ask.
  void read(std::string_view name, std::uint64_t offset, std::span<std::byte> to);

  void release() const noexcept { zip_.release(); }

 private:
  template <class... Parts>
  [[noreturn]] void damaged(const std::string& name, Parts&&... parts) const;
  NpzEntry parse(const std::string& name, const std::string& file_name, std::uint64_t size);

  std::string where_;
  ZipFile zip_;
  std::map<std::string, NpzEntry, std::less<>> entries_;
};

struct NpzArray {
  std::vector<std::byte> storage;
  HostTensor tensor;  // points into storage
};

// A small file as a whole: name (without ".npy") -> array. Also throws for arrays of types that are not read. At most
// `max_bytes` of array data in all are unpacked; a file that claims more is refused before it is.
std::map<std::string, NpzArray, std::less<>> read_npz(const FileBytes& file, std::string_view where,
                                                      std::uint64_t max_bytes = std::uint64_t{1} << 30);

}  // namespace paligemma
