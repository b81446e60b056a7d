// The kernels in AVX-512 F, BW, VL and DQ. The only includes beside the intrinsics are headers without inline code.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"
#include "backend/cpu/generic/rows.h"

namespace paligemma {

void use_avx512(Kernels& kernels) noexcept {
  using V = F32x16;
  // 12 x 32: 24 of the 32 registers hold sums.
  constexpr ProductKernel f32{Tiles<F32Panels<V>, 12, 2, 8>::run}, bf16{Tiles<Bf16Panels<V>, 12, 2, 8>::run};
  kernels.name = "avx512";
  for (auto& of_precision : kernels.product) of_precision[0] = f32, of_precision[1] = bf16;
  kernels.tile_rows = 12;
  kernels.streams = 8;
  kernels.multiply_adds[0] = kernels.multiply_adds[1] = multiply_adds<F32Panels<V>>;
  kernels.multiply_adds[2] = byte_multiply_adds<I32x16, false>;
  // 6 x 32: 12 registers hold sums of blocks, 12 those of all.
  use_words<V, I32x16, I32x16, 6, 2, 8>(kernels);
  use_rows<V>(kernels);
}

}  // namespace paligemma
