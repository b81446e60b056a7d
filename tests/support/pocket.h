// Pictures of the embedded model's folder.
#pragma once

#include <string>

namespace paligemma::test {

inline const std::string kPictures = std::string(POCKET_DIR) + "/pictures/";
inline const std::string kBeach = kPictures + "beach.png";
inline const std::string kCity = kPictures + "city.png";

}  // namespace paligemma::test
