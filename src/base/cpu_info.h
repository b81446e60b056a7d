// What the processor and its operating system can run.
#pragma once

namespace paligemma {

struct CpuInfo {
  bool avx2 = false;         // AVX2, FMA and F16C
  bool avx_vnni = false;     // AVX2 and AVX-VNNI
  bool avx512 = false;       // AVX-512 F, BW, VL and DQ
  bool avx512_vnni = false;  // AVX-512 and AVX512_VNNI
  bool avx512_bf16 = false;  // the above and AVX512_BF16
  bool slow_bf16 = false;    // whose products are slower than those of f32
};

// cpu_x86.cc or cpu_other.cc.
CpuInfo cpu_info();
// Tells the processor that the caller is spinning.
void spin_pause();

// Cores that this process may use; at least 1.
int usable_cores();

}  // namespace paligemma
