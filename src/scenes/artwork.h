// The artwork of things and letters, from the files that tools/make_world_artwork makes and that are linked in.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma::world {

// Pixels 0xAABBGGRR, premultiplied, in a frame of clear ones: (height + 2, width + 2).
struct Bitmap {
  int width = 0, height = 0;  // without the frame
  std::vector<std::uint32_t> pixels{};
};

// A drawing at full size and at halves of it, down to an eighth.
struct Drawing {
  std::array<Bitmap, 4> levels{};
  // The part that is more than half covered, in pixels of the full size: left, top, right, bottom.
  std::array<int, 4> ink{};
};

// A row of letters.txt: all letters of one face, and how they follow one another.
struct Face {
  std::vector<std::string> letters{};  // in UTF-8
  std::vector<Drawing> drawings{};
  int pitch = 0;   // from letter to letter in pixels of the full size; 0: by their ink
  int middle = 0;  // of the letters' height, from the cell's top
};

struct Artwork {
  // (things, colours) of world.h: one drawing for things that are not tinted, at place 0. The sign has none.
  std::vector<std::vector<Drawing>> things{};
  std::vector<Face> faces{};
};

inline constexpr int kLatinFaces = 3;  // then comes that of Hangul
inline constexpr int kLetterEm = 70;   // pixels of the full size

// Read once and used by any number of threads. Throws Error{failure, "artwork"} where the files do not show all that
// world.h names.
Artwork open_artwork();

}  // namespace paligemma::world
