// Compiled with use_avx2_vnni renamed, as is the kernel that it refers to.
#include "emulated.h"

namespace paligemma {

std::vector<Kernels> emulated_tables() {
  Kernels vnni;
  use_portable(vnni);
  use_avx2(vnni);
  use_avx2_vnni(vnni);
  vnni.name = "avx2_vnni_evex";
  return {vnni};
}

}  // namespace paligemma
