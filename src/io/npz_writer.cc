#include "io/npz_writer.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "base/error.h"
#include "io/npy.h"

namespace paligemma {
namespace {

// One array as libzip reads it: the header, then piece after piece.
class Entry {
 public:
  Entry(const StreamedArray& array, std::exception_ptr& problem)
      : array_(array), problem_(problem), header_(npy_header(array.dtype, array.shape)) {
    zip_error_init(&error_);
  }

  static zip_int64_t answer(void* self, void* data, zip_uint64_t size, zip_source_cmd_t command) {
    return static_cast<Entry*>(self)->answer(data, size, command);
  }

 private:
  zip_int64_t answer(void* data, zip_uint64_t size, zip_source_cmd_t command) {
    switch (command) {
      case ZIP_SOURCE_OPEN:
        rest_ = std::as_bytes(std::span(header_));
        next_ = 0;
        return 0;
      case ZIP_SOURCE_READ: return read({static_cast<std::byte*>(data), size});
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_FREE: return 0;
      case ZIP_SOURCE_STAT: return stat(data);
      case ZIP_SOURCE_ERROR: return zip_error_to_data(&error_, data, size);
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
      default: zip_error_set(&error_, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
  }

  // No exception may pass through libzip: it is kept and thrown again behind it.
  zip_int64_t read(std::span<std::byte> to) {
    try {
      std::size_t done = 0;
      while (done < to.size()) {
        if (rest_.empty()) {
          if (next_ == array_.pieces) {
            if (done == 0) array_.done();
            break;
          }
          rest_ = array_.piece(next_++);
          continue;
        }
        const std::size_t count = std::min(rest_.size(), to.size() - done);
        std::memcpy(to.data() + done, rest_.data(), count);
        rest_ = rest_.subspan(count);
        done += count;
      }
      return static_cast<zip_int64_t>(done);
    } catch (...) {
      problem_ = std::current_exception();
      zip_error_set(&error_, ZIP_ER_INTERNAL, 0);
      return -1;
    }
  }

  zip_int64_t stat(void* data) const {
    auto* stat = static_cast<zip_stat_t*>(data);
    zip_stat_init(stat);
    stat->size = header_.size() + array_.bytes();
    stat->valid = ZIP_STAT_SIZE;
    return sizeof *stat;
  }

  const StreamedArray& array_;
  std::exception_ptr& problem_;
  std::string header_;
  std::span<const std::byte> rest_;
  std::size_t next_ = 0;
  zip_error_t error_;
};

}  // namespace

void write_npz(const std::filesystem::path& path, std::span<const StreamedArray> arrays, const std::string& shown) {
  const auto give_up = [&](const std::string& reason) {
    fail(ErrorKind::failure, "write_failed", "cannot write: ", shown, ": ", reason);
  };
  std::exception_ptr problem;
  std::vector<std::unique_ptr<Entry>> entries;  // read while the archive is closed, which they outlive
  int code = 0;
  const auto discard = [](zip_t* zip) { zip_discard(zip); };
  std::unique_ptr<zip_t, decltype(discard)> zip(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code), discard);
  if (!zip) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    give_up(reason);
  }
  for (const StreamedArray& array : arrays) {
    entries.push_back(std::make_unique<Entry>(array, problem));
    zip_source_t* source = zip_source_function(zip.get(), Entry::answer, entries.back().get());
    const zip_int64_t index =
        source ? zip_file_add(zip.get(), (array.name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0 && source) zip_source_free(source);
    constexpr zip_uint16_t kFirstDay = 1 << 5 | 1;  // 1 January 1980, the earliest date of the format
    if (index < 0 || zip_set_file_compression(zip.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(zip.get(), static_cast<zip_uint64_t>(index), 0, kFirstDay, 0) != 0)
      give_up(zip_strerror(zip.get()));
  }
  if (zip_close(zip.get()) != 0) {
    if (problem) std::rethrow_exception(problem);
    give_up(zip_strerror(zip.get()));
  }
  (void)zip.release();
}

}  // namespace paligemma
