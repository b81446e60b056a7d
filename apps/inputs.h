// IMAGE arguments: files, folders, patterns, lists and stdin.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace paligemma {

// The pictures that the words of a command line name, in order:
//   -           a picture on stdin, at most once
//   @list.txt   one path a line, relative to the list's folder; a path is taken as it is
//   a folder    the pictures in it by suffix, sorted by name; hidden files and folders inside are passed over
//   a pattern   with * ? [ and naming no file itself: what matches, sorted
//   else        a file
// Throws Error{usage} for a word that names nothing. What a list names need not exist: it fails when it is read.
std::vector<std::string> expand_inputs(std::span<const std::string> words);

// All bytes of a file, a pipe, or stdin ("-"). `what` begins the messages. Throws Error{kind, "file_not_found" |
// "file_unreadable"}; a stream that is longer than 1 GiB is refused.
std::vector<std::byte> read_bytes(const std::string& path, std::string_view what, ErrorKind kind);

// The path that `name`, written in the file `file`, means: relative to the file's folder. Never stdin.
std::string path_beside(const std::string& file, std::string_view name);

// Calls `take` with the number, from 1, and the text of each line that is not blank.
void for_each_line(std::span<const std::byte> bytes,
                   const std::function<void(int number, std::string_view line)>& take);

// The picture at a path from expand_inputs, and what its file says of its source (image/png_source.h). Throws
// Error{input}.
struct InputPicture {
  Picture picture{};
  std::string source{};
};
InputPicture read_input(const std::string& path, const DecodeOptions& options);

// Reads pictures that are wanted several times. One is kept until it was given out as often as it is wanted, and
// while there is room for it; what can't be read again, stdin and pipes, to the end.
class PictureReader {
 public:
  // Pixels that are kept: 100 MB of RGB.
  static constexpr std::int64_t kMostPixels = std::int64_t{1} << 25;

  explicit PictureReader(const DecodeOptions& options) : options_(options) {}

  // It will be read once more.
  void want(const std::string& path) { ++known_[path].wanted; }
  // Throws Error{input}, the same one each time.
  SharedPicture read(const std::string& path);
  // The first one whose source is another than this; empty: there was none.
  std::string first_not_of(std::string_view source) const;

 private:
  using Source = std::pair<std::string, std::string>;  // path of a picture, and what it says
  struct Known {
    int wanted = 0;
    std::optional<SharedPicture> picture{};
    std::optional<Error> error{};
  };
  void make_room();

  DecodeOptions options_;
  std::map<std::string, Known> known_;
  std::vector<Source> sources_;  // the first of each
};

std::int64_t pixel_count(const Picture& picture);

}  // namespace paligemma
