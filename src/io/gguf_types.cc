// The types of tensors that the format has.
#include <algorithm>
#include <array>

#include "io/gguf.h"

namespace paligemma {

const GgufTypeInfo* find_gguf_type(GgufType type) {
  const auto other = [](std::uint32_t number) { return static_cast<GgufType>(number); };
  static const std::array kTypes{
      GgufTypeInfo{GgufType::f32, "F32", 1, 4},       GgufTypeInfo{GgufType::f16, "F16", 1, 2},
      GgufTypeInfo{GgufType::q4_0, "Q4_0", 32, 18},   GgufTypeInfo{other(3), "Q4_1", 32, 20},
      GgufTypeInfo{other(6), "Q5_0", 32, 22},         GgufTypeInfo{other(7), "Q5_1", 32, 24},
      GgufTypeInfo{GgufType::q8_0, "Q8_0", 32, 34},   GgufTypeInfo{other(9), "Q8_1", 32, 40},
      GgufTypeInfo{other(10), "Q2_K", 256, 84},       GgufTypeInfo{other(11), "Q3_K", 256, 110},
      GgufTypeInfo{GgufType::q4_k, "Q4_K", 256, 144}, GgufTypeInfo{other(13), "Q5_K", 256, 176},
      GgufTypeInfo{GgufType::q6_k, "Q6_K", 256, 210}, GgufTypeInfo{other(15), "Q8_K", 256, 292},
      GgufTypeInfo{other(16), "IQ2_XXS", 256, 66},    GgufTypeInfo{other(17), "IQ2_XS", 256, 74},
      GgufTypeInfo{other(18), "IQ3_XXS", 256, 98},    GgufTypeInfo{other(19), "IQ1_S", 256, 50},
      GgufTypeInfo{other(20), "IQ4_NL", 32, 18},      GgufTypeInfo{other(21), "IQ3_S", 256, 110},
      GgufTypeInfo{other(22), "IQ2_S", 256, 82},      GgufTypeInfo{other(23), "IQ4_XS", 256, 136},
      GgufTypeInfo{GgufType::i8, "I8", 1, 1},         GgufTypeInfo{other(25), "I16", 1, 2},
      GgufTypeInfo{other(26), "I32", 1, 4},           GgufTypeInfo{other(27), "I64", 1, 8},
      GgufTypeInfo{other(28), "F64", 1, 8},           GgufTypeInfo{other(29), "IQ1_M", 256, 56},
      GgufTypeInfo{GgufType::bf16, "BF16", 1, 2},     GgufTypeInfo{other(34), "TQ1_0", 256, 54},
      GgufTypeInfo{other(35), "TQ2_0", 256, 66},      GgufTypeInfo{other(39), "MXFP4", 32, 17},
      GgufTypeInfo{other(40), "NVFP4", 64, 36},       GgufTypeInfo{other(41), "Q1_0", 128, 18}};
  const auto found = std::ranges::find(kTypes, type, &GgufTypeInfo::type);
  return found == kTypes.end() ? nullptr : &*found;
}

std::optional<DType> dtype_of(GgufType type) {
  switch (type) {
    case GgufType::f32: return DType::f32;
    case GgufType::f16: return DType::f16;
    case GgufType::bf16: return DType::bf16;
    case GgufType::q8_0: return DType::q8;
    case GgufType::q4_0: return DType::q4;
    default: return {};
  }
}

GgufType gguf_type(DType type) {
  switch (type) {
    case DType::f32: return GgufType::f32;
    case DType::f16: return GgufType::f16;
    case DType::bf16: return GgufType::bf16;
    case DType::q8: return GgufType::q8_0;
    case DType::q4: return GgufType::q4_0;
    case DType::int8: break;
  }
  return GgufType::f32;
}

}  // namespace paligemma
