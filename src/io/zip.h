// Zip archives whose entries, stored or deflated, are read piece by piece: what .npz and .keras files are.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace paligemma {

struct ZipEntry {
  std::uint64_t index = 0;
  std::uint64_t size = 0;    // unpacked
  std::uint64_t packed = 0;  // in the file
  bool stored = true;        // else deflated
};

// Move-only.
class ZipFile {
 public:
  // `pieces` are the file, or the parts that it was cut into, in order. `where` names it in messages, all of which are
  // Error{model, code}.
  ZipFile(std::vector<FileBytes> pieces, std::string where, std::string code);
  ZipFile(ZipFile&&) noexcept;
  ZipFile& operator=(ZipFile&&) noexcept;
  ~ZipFile();

  std::vector<std::string> names() const;

  // Nothing when there is no entry of that name. Throws for one whose size the file can't hold, or that is packed in
  // another way, so that memory may be taken for the rest.
  std::optional<ZipEntry> find(const std::string& name) const;

  // Bytes of an entry from `offset` on. Any order works; a deflated entry is unpacked from its beginning again whenever
  // that is not forward. The checksum is compared where the end is reached from the beginning.
  void read(const std::string& name, std::uint64_t offset, std::span<std::byte> to);

  // An entry that is read again later begins anew; until then it takes no memory.
  void close(const std::string& name);

  // A stored entry as it lies in a file of one piece; nothing where that is not the case, or not soon found.
  std::optional<std::span<const std::byte>> view(const std::string& name);

  // The pages of the file that were read are not needed any more.
  void release() const noexcept;

 private:
  class Archive;
  std::unique_ptr<Archive> archive_;
};

}  // namespace paligemma
