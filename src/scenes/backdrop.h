// What lies behind the things of a scene: a place, drawn at the size that is asked for.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

namespace paligemma::world {

struct Backdrop {
  int place = 0;          // in places()
  std::uint64_t key = 0;  // all that is drawn by chance in it
};

// Where the ground begins, as a share of the height from the top.
double horizon_of(const Backdrop& backdrop);

// (side, side, 3). Throws Error{usage, "no_drawing"} in a library that was built without drawing.
Picture paint_backdrop(const Backdrop& backdrop, int side);

// Backdrops that were painted lately. Many scenes have the same one; any number of threads may ask.
class BackdropStore {
 public:
  explicit BackdropStore(std::size_t max_bytes = std::size_t{192} << 20) : max_bytes_(max_bytes) {}

  std::shared_ptr<const Picture> find(const Backdrop& backdrop, int side);

 private:
  using Name = std::tuple<int, std::uint64_t, int>;  // place, key, side
  struct Entry {
    std::shared_ptr<const Picture> picture;
    std::uint64_t used = 0;
  };
  void drop_oldest();

  std::mutex mutex_;
  std::map<Name, Entry> entries_;
  std::size_t bytes_ = 0, max_bytes_;
  std::uint64_t asked_ = 0;
};

}  // namespace paligemma::world
