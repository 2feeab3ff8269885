// Bytes by processors that multiply and add them in vectors (VNNI).
#include "cm_narrow.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "cm_mode.h"
#include "cm_widen.h"

#include <string.h>

#define CM_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"
#pragma clang attribute push(__attribute__((target(CM_TARGET))), apply_to = function)
#define CM_LANES 16
#define CM_NARROW_ROWS 6
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define CM_LOAD_FIRST(p, count) (vf) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p)
#include "cm_vector.h"

#define ADD_PRODUCTS(s, word, w) \
    (vi) _mm512_dpbusd_epi32((__m512i)(s), _mm512_set1_epi32((int32_t)(word)), (__m512i)(w))

#include "cm_bytes.h"

#include "cm_narrow_layers.h"
#pragma clang attribute pop

const cm_narrow_set *cm_bytes_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma")
               ? &narrow_set
               : NULL;
}
#else
const cm_narrow_set *cm_bytes_avx512(void) { return NULL; }
#endif
