#include "cm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "cm_mode.h"

#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

static const int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

static inline __attribute__((always_inline)) __m256 load_masked(const float *p, size_t count) {
    __m256i mask = _mm256_loadu_si256((const __m256i *)(first_lanes + 8 - count));
    return _mm256_maskload_ps(p, mask);
}

#define CM_LANES 8
#define CM_VECTORS 2
#define CM_WIDE 4
#define CM_DEPTH 256
#define CM_CHAINS 2
#define CM_SINGLES 2
#define CM_HALVES 0
#define CM_UNROLL_DEPTH _Pragma("clang loop unroll_count(2)")
#define CM_FLUSH 1
#define CM_TILE_BYTES (192 * 1024)
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define CM_LOAD_FIRST(p, count) (vf) load_masked(p, count)
#include "cm_body.h"
#pragma clang attribute pop

const cm_kernel_set *cm_kernels_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernel_set : NULL;
}
#else
const cm_kernel_set *cm_kernels_avx2(void) { return NULL; }
#endif
