// The kernels in AVX2 with FMA. The only includes beside the intrinsics are headers without inline code.
#include "backend/cpu/avx2/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/gradients.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"
#include "backend/cpu/generic/rows.h"
#include "backend/cpu/generic/turn.h"

namespace paligemma {

void use_avx2(Kernels& kernels) noexcept {
  using V = F32x8;
  // 6 x 16: 12 of the 16 registers hold sums.
  constexpr ProductKernel f32{Tiles<F32Panels<V>, 6, 1, 4>::run}, bf16{Tiles<Bf16Panels<V>, 6, 1, 4>::run};
  kernels.name = "avx2";
  for (auto& of_precision : kernels.product) of_precision[0] = f32, of_precision[1] = bf16;
  kernels.tile_rows = 6;
  kernels.streams = 4;
  kernels.multiply_adds[0] = kernels.multiply_adds[1] = multiply_adds<F32Panels<V>>;
  kernels.multiply_adds[2] = byte_multiply_adds<I32x8, false>;
  use_words<V, I32x8, I32x8, 3, 1, 2>(kernels);
  use_rows<V>(kernels);
  use_gradients<V>(kernels);
  use_widening<V, I32x8>(kernels);
}

}  // namespace paligemma
