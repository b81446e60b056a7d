// Compiled with use_avx512 and use_avx512_bf16 renamed, as are the kernels that it refers to.
#include "emulated.h"

namespace paligemma {

std::vector<Kernels> emulated_tables() {
  Kernels avx512;
  use_portable(avx512);
  use_avx512(avx512);
  avx512.name = "avx512_emulated";
  Kernels bf16 = avx512;
  use_avx512_bf16(bf16);
  bf16.name = "avx512_bf16_emulated";
  return {avx512, bf16};
}

}  // namespace paligemma
