#include "model/pocket.h"

#include <algorithm>
#include <array>

#include "base/embedded.h"

namespace paligemma {

std::span<const EmbeddedFile> embedded_pocket();

namespace {

const EmbeddedFile* find(std::string_view name) {
  const auto files = embedded_pocket();
  const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
  return found == files.end() ? nullptr : &*found;
}

constexpr std::array<std::string_view, 8> kPictures{"pictures/beach.png", "pictures/city.png",   "pictures/desert.png",
                                                    "pictures/field.png", "pictures/forest.png", "pictures/road.png",
                                                    "pictures/room.png",  "pictures/snow.png"};

}  // namespace

Folder pocket_folder() {
  return {.name = "the embedded model",
          .has = [](std::string_view name) { return find(name) != nullptr; },
          .open =
              [](std::string_view name) {
                const EmbeddedFile* file = find(name);
                if (!file) fail(ErrorKind::model, "file_not_found", "no such file: the embedded model: ", name);
                return FileBytes::borrow(file->bytes);
              }};
}

std::span<const std::string_view> pocket_pictures() { return kPictures; }

}  // namespace paligemma
