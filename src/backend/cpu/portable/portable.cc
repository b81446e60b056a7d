// The kernels in plain C++, for any processor.
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/gradients.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"
#include "backend/cpu/generic/rows.h"
#include "backend/cpu/generic/turn.h"
#include "backend/cpu/portable/lanes.h"

namespace paligemma {

void use_portable(Kernels& kernels) noexcept {
  using V = Lanes<float>;
  constexpr ProductKernel f32{Tiles<F32Panels<V>, 2, 1, 1>::run}, bf16{Tiles<Bf16Panels<V>, 2, 1, 1>::run};
  kernels =
      Kernels{.name = "portable", .product = {{f32, bf16}, {f32, bf16}, {f32, bf16}}, .tile_rows = 2, .streams = 1};
  use_words<V, IntLanes, IntLanes, 2, 1, 1>(kernels);
  kernels.multiply_adds[0] = kernels.multiply_adds[1] = multiply_adds<F32Panels<V>, false>;
  kernels.multiply_adds[2] = byte_multiply_adds<IntLanes, false>;
  use_rows<V>(kernels);
  use_gradients<V>(kernels);
  use_widening<V, IntLanes>(kernels);
  kernels.turn_words = turn_words_singly;
  kernels.turn_bf16 = turn_bf16_squares;
}

}  // namespace paligemma
