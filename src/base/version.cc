#include <paligemma/paligemma.h>

namespace paligemma {

std::string_view version() { return PALIGEMMA_VERSION; }  // of project() in CMakeLists.txt

}  // namespace paligemma
