#include "base/cpu_info.h"

namespace paligemma {

CpuInfo cpu_info() {
  CpuInfo info;
  info.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  info.avx_vnni = info.avx2 && __builtin_cpu_supports("avxvnni");
  info.avx512 = info.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  info.avx512_vnni = info.avx512 && __builtin_cpu_supports("avx512vnni");
  info.avx512_bf16 = info.avx512_vnni && __builtin_cpu_supports("avx512bf16");
  info.slow_bf16 = __builtin_cpu_is("intel");  // docs/performance.md
  return info;
}

void spin_pause() { __builtin_ia32_pause(); }

}  // namespace paligemma
