// AVX-VNNI's instructions as AVX-512 encodes them: included before all else by kernels that are tested where the
// processor has only the latter.
#include <immintrin.h>

#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#define _mm256_dpwssd_avx_epi32 _mm256_dpwssd_epi32
