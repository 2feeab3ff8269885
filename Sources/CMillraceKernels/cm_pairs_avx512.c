// Pairs of bfloat16 by processors that multiply them in vectors.
#include "cm_narrow.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "cm_mode.h"
#include "cm_widen.h"

#include <string.h>

#define CM_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"
#pragma clang attribute push(__attribute__((target(CM_TARGET))), apply_to = function)
#define CM_LANES 16
#define CM_NARROW_ROWS 6
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define CM_LOAD_FIRST(p, count) (vf) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p)
#include "cm_vector.h"

typedef vf sums;

#define ADD_PRODUCTS(s, word, w) \
    (vf) _mm512_dpbf16_ps((__m512)(s), (__m512bh)_mm512_set1_epi32((int32_t)(word)), (__m512bh)(w))

CM_INLINE void store_bfloat16(uint16_t *to, vf x) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
    memcpy(to, &rounded, sizeof rounded);
}

#include "cm_pairs.h"

#include "cm_narrow_layers.h"
#pragma clang attribute pop

const cm_narrow_set *cm_pairs_avx512(void) {
    uint32_t a, b, c, d;
    __builtin_cpu_init();
    const int vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("fma");
    // avx512_bf16
    const int pairs = vectors && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
    return pairs ? &narrow_set : NULL;
}
#else
const cm_narrow_set *cm_pairs_avx512(void) { return NULL; }
#endif
