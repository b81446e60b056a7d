#include "scenes/backdrop.h"

#include "base/random.h"
#include "scenes/world.h"

namespace paligemma::world {

double horizon_of(const Backdrop& backdrop) {
  const bool inside = places()[static_cast<std::size_t>(backdrop.place)].name == "room";
  // Throws of what is painted count from 0: this one is none of them.
  const double share = uniform(backdrop.key, ~std::uint64_t{0});
  return inside ? 0.44 + 0.11 * share : 0.31 + 0.16 * share;
}

}  // namespace paligemma::world
