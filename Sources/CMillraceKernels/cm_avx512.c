#include "cm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "cm_mode.h"

#include <string.h>

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define CM_LANES 16
#define CM_VECTORS 4
#define CM_WIDE 2
#define CM_DEPTH 128
#define CM_CHAINS 4
#define CM_UNROLL_DEPTH _Pragma("clang loop unroll_count(8)")
#define CM_FLUSH 1
#define CM_TILE_BYTES (512 * 1024)
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define CM_LOAD_FIRST(p, count) (vf) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p)
#include "cm_body.h"
#pragma clang attribute pop

const cm_kernel_set *cm_kernels_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("fma")
               ? &kernel_set
               : NULL;
}
#else
const cm_kernel_set *cm_kernels_avx512(void) { return NULL; }
#endif
