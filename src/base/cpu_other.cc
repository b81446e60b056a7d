#include "base/cpu_info.h"

namespace paligemma {

CpuInfo cpu_info() { return {}; }

void spin_pause() {}

}  // namespace paligemma
