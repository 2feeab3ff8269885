#include "cm_crc32c.h"

#include <string.h>

static uint32_t table_entry(uint32_t index) {
    for (int bit = 0; bit < 8; bit++) index = (index >> 1) ^ ((index & 1) ? 0x82F63B78u : 0);
    return index;
}

uint32_t cm_crc32c_portable(uint32_t seed, const void *bytes, size_t length) {
    static uint32_t table[256];
    static int ready;
    if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
        for (uint32_t i = 0; i < 256; i++)
            __atomic_store_n(&table[i], table_entry(i), __ATOMIC_RELAXED);
        __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    }
    const uint8_t *p = bytes;
    uint32_t crc = ~seed;
    while (length--) crc = table[(crc ^ *p++) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define CRC_TARGET __attribute__((target("sse4.2,pclmul")))

CRC_TARGET static inline __m128i fold(__m128i x, __m128i k, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(x, k, 0x00);
    __m128i high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

CRC_TARGET static inline __m128i load(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)p);
}

CRC_TARGET static uint32_t crc32c_clmul(uint32_t seed, const uint8_t *p, size_t length) {
    uint64_t crc = ~seed & 0xFFFFFFFFu;
    if (length >= 64) {
        const __m128i by64 = _mm_setr_epi32((int)0x740eef02u, 0, (int)0x9e4addf8u, 0);
        const __m128i by32 = _mm_setr_epi32((int)0x3da6d0cbu, 0, (int)0xba4fc28eu, 0);
        const __m128i by16 = _mm_setr_epi32((int)0xf20c0dfeu, 0, (int)0x493c7d27u, 0);
        __m128i x0 = _mm_xor_si128(load(p), _mm_cvtsi32_si128((int)crc));
        __m128i x1 = load(p + 16), x2 = load(p + 32), x3 = load(p + 48);
        for (p += 64, length -= 64; length >= 64; p += 64, length -= 64) {
            x0 = fold(x0, by64, load(p));
            x1 = fold(x1, by64, load(p + 16));
            x2 = fold(x2, by64, load(p + 32));
            x3 = fold(x3, by64, load(p + 48));
        }
        x0 = fold(x0, by16, x1);
        x2 = fold(x2, by16, x3);
        x0 = fold(x0, by32, x2);
        crc = _mm_crc32_u64(0, (uint64_t)_mm_extract_epi64(x0, 0));
        crc = _mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(x0, 1));
    }
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; length; p++, length--) crc = _mm_crc32_u8((uint32_t)crc, *p);
    return ~(uint32_t)crc;
}

uint32_t cm_crc32c(uint32_t seed, const void *bytes, size_t length) {
    static int fast = -1;
    int known = __atomic_load_n(&fast, __ATOMIC_RELAXED);
    if (known < 0) {
        __builtin_cpu_init();
        known = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
        __atomic_store_n(&fast, known, __ATOMIC_RELAXED);
    }
    return known ? crc32c_clmul(seed, bytes, length) : cm_crc32c_portable(seed, bytes, length);
}
#else
uint32_t cm_crc32c(uint32_t seed, const void *bytes, size_t length) {
    return cm_crc32c_portable(seed, bytes, length);
}
#endif
