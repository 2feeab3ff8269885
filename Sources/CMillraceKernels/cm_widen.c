#include "cm_widen.h"

#include <string.h>

#define CM_INLINE static inline __attribute__((always_inline))

// Every set must round in the same places.
#pragma clang fp contract(off)

static size_t first_nan(const float *x, size_t i) {
    while (x[i] == x[i]) i++;
    return i;
}

#define CM_LANES 4
#define CM_SET(name) name##_portable
#define CM_NAME "portable"
#include "cm_widen_body.h"

const cm_widen_set *cm_widen_portable(void) { return &set_portable; }

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#define CM_LANES 8
#define CM_SET(name) name##_avx2
#define CM_NAME "avx2"
#define WIDEN_HALVES(x) ((vf)_mm256_cvtph_ps((__m128i)(x)))
#define NARROW_HALVES(x) ((vh)_mm256_cvtps_ph((__m256)(x), _MM_FROUND_TO_NEAREST_INT))
#include "cm_widen_body.h"
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2"))), apply_to = function)
#define CM_LANES 16
#define CM_SET(name) name##_avx512
#define CM_NAME "avx512"
#define WIDEN_HALVES(x) ((vf)_mm512_cvtph_ps((__m256i)(x)))
#define NARROW_HALVES(x) ((vh)_mm512_cvtps_ph((__m512)(x), _MM_FROUND_TO_NEAREST_INT))
#include "cm_widen_body.h"
#pragma clang attribute pop

const cm_widen_set *cm_widen_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") ? &set_avx2 : NULL;
}

const cm_widen_set *cm_widen_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? &set_avx512
               : NULL;
}
#else
const cm_widen_set *cm_widen_avx2(void) { return NULL; }
const cm_widen_set *cm_widen_avx512(void) { return NULL; }
#endif

const cm_widen_set *cm_widen_best(void) {
    static const cm_widen_set *best;
    const cm_widen_set *known = __atomic_load_n(&best, __ATOMIC_RELAXED);
    if (known) return known;
    known = cm_widen_avx512();
    if (!known) known = cm_widen_avx2();
    if (!known) known = cm_widen_portable();
    __atomic_store_n(&best, known, __ATOMIC_RELAXED);
    return known;
}
