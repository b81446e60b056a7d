#include "backend/cpu/dispatch.h"
#include "base/cpu_info.h"

namespace paligemma {

std::vector<Isa> isas() {
  const CpuInfo cpu = cpu_info();
  return {{"portable", true, use_portable},
          {"avx2", cpu.avx2, use_avx2},
          {"avx2_vnni", cpu.avx_vnni, use_avx2_vnni},
          {"avx512", cpu.avx512, use_avx512},
          {"avx512_vnni", cpu.avx512_vnni, use_avx512_vnni},
          {"avx512_bf16", cpu.avx512_bf16, use_avx512_bf16, !cpu.slow_bf16}};
}

}  // namespace paligemma
