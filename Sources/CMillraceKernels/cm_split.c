#include "cm_split.h"

#include <string.h>

#define CM_INLINE static inline __attribute__((always_inline))

typedef uint8_t vb_portable __attribute__((vector_size(16)));
typedef uint16_t vh_portable __attribute__((vector_size(16)));

CM_INLINE void zip8_portable(vb_portable a, vb_portable b, vb_portable *low, vb_portable *high) {
    *low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                    31);
}

CM_INLINE void zip16_portable(vb_portable a, vb_portable b, vb_portable *low, vb_portable *high) {
    vh_portable x = (vh_portable)a, y = (vh_portable)b;
    *low = (vb_portable)__builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
    *high = (vb_portable)__builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
}

CM_INLINE vb_portable evens_portable(vb_portable a, vb_portable b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

CM_INLINE vb_portable odds_portable(vb_portable a, vb_portable b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

#define CM_BYTES 16
#define CM_SET(name) name##_portable
#define CM_NAME "portable"
#include "cm_split_body.h"

const cm_split_set *cm_split_portable(void) { return &set_portable; }

#if defined(__x86_64__)
#include <immintrin.h>

// Unpacking and packing work inside 128-bit lanes; the permutations put the lanes in order.

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
typedef __m256i vb_avx2;

CM_INLINE void order_avx2(__m256i low, __m256i high, __m256i *first, __m256i *second) {
    *first = _mm256_permute2x128_si256(low, high, 0x20);
    *second = _mm256_permute2x128_si256(low, high, 0x31);
}

CM_INLINE void zip8_avx2(__m256i a, __m256i b, __m256i *low, __m256i *high) {
    order_avx2(_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b), low, high);
}

CM_INLINE void zip16_avx2(__m256i a, __m256i b, __m256i *low, __m256i *high) {
    order_avx2(_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b), low, high);
}

CM_INLINE __m256i pack_avx2(__m256i a, __m256i b) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xD8);
}

CM_INLINE __m256i evens_avx2(__m256i a, __m256i b) {
    __m256i mask = _mm256_set1_epi16(0xFF);
    return pack_avx2(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
}

CM_INLINE __m256i odds_avx2(__m256i a, __m256i b) {
    return pack_avx2(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
}

#define CM_BYTES 32
#define CM_SET(name) name##_avx2
#define CM_NAME "avx2"
#include "cm_split_body.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw"))), apply_to = function)
typedef __m512i vb_avx512;

CM_INLINE void order_avx512(__m512i low, __m512i high, __m512i *first, __m512i *second) {
    *first = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
    *second = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
}

CM_INLINE void zip8_avx512(__m512i a, __m512i b, __m512i *low, __m512i *high) {
    order_avx512(_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b), low, high);
}

CM_INLINE void zip16_avx512(__m512i a, __m512i b, __m512i *low, __m512i *high) {
    order_avx512(_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b), low, high);
}

CM_INLINE __m512i pack_avx512(__m512i a, __m512i b) {
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
                                    _mm512_packus_epi16(a, b));
}

CM_INLINE __m512i evens_avx512(__m512i a, __m512i b) {
    __m512i mask = _mm512_set1_epi16(0xFF);
    return pack_avx512(_mm512_and_si512(a, mask), _mm512_and_si512(b, mask));
}

CM_INLINE __m512i odds_avx512(__m512i a, __m512i b) {
    return pack_avx512(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8));
}

#define CM_BYTES 64
#define CM_SET(name) name##_avx512
#define CM_NAME "avx512"
#include "cm_split_body.h"
#pragma clang attribute pop

const cm_split_set *cm_split_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &set_avx2 : NULL;
}

const cm_split_set *cm_split_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? &set_avx512
                                                                                   : NULL;
}
#else
const cm_split_set *cm_split_avx2(void) { return NULL; }
const cm_split_set *cm_split_avx512(void) { return NULL; }
#endif

const cm_split_set *cm_split_best(void) {
    static const cm_split_set *best;
    const cm_split_set *known = __atomic_load_n(&best, __ATOMIC_RELAXED);
    if (known) return known;
    known = cm_split_avx512();
    if (!known) known = cm_split_avx2();
    if (!known) known = cm_split_portable();
    __atomic_store_n(&best, known, __ATOMIC_RELAXED);
    return known;
}
