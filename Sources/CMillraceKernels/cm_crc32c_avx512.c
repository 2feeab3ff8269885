// Folding: a 16-byte lane, seen as a polynomial, is moved over D bytes by multiplying its halves by
// powers of x modulo the polynomial, and added (exclusive or) to the lane that it lands on. Four
// vectors of four lanes move over 256 bytes a turn; in the end every lane moves behind the last one,
// and the CRC instruction reduces the 16 bytes that are left.
//
// The factors for D bytes are x^(8 D + 31) and x^(8 D - 33) modulo the polynomial, bits reflected,
// for the lane's first and last 8 bytes: those begin 64 bits apart, and a product of reflected
// polynomials is one bit out of place.
//
// Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
// Intel, 2009.

#include "cm_crc32c.h"

#if defined(__x86_64__)
#include "cm_crc32c_serial.h"

#define CRC_TARGET \
    __attribute__(( \
        target("avx512f,avx512bw,avx512dq,avx512vl,vpclmulqdq,pclmul,sse4.2"), always_inline))

enum { BLOCK = 256, VECTOR = 64, WORDS = 16 };

// Up to here the CRC instruction alone has its result first: it needs no set-up and no reduction.
enum { SERIAL_MOST = 80 };

// How far ahead of the loads memory is asked for: farther than the processor does by itself, since
// each turn takes little longer than its loads.
enum { AHEAD = 4096 };

// Moves a lane over a block.
static const uint64_t over_block[2] = {0xdcb17aa4, 0xb9e02b86};

// Moves the lanes of a block's four vectors behind its last lane: over 240 bytes, 224, and so on to
// 16. The last lane stays.
static const uint64_t to_end[4][8] __attribute__((aligned(64))) = {
    {0xffd852c6, 0x299847d5, 0x71d111a8, 0x83348832, 0x8462d800, 0x2162d385, 0xa87ab8a8, 0xab7aff2a},
    {0xf1d0f55e, 0xdaece73e, 0x1b3d8f29, 0x878a92a7, 0x7e908048, 0xc96cfdc0, 0x6992cea2, 0x0d3b6092},
    {0x2ad91c30, 0x47db8317, 0xc49f4f67, 0x0715ce53, 0x083a6eec, 0x39d3b296, 0x740eef02, 0x9e4addf8},
    {0x1c291d04, 0xddc0152b, 0x3da6d0cb, 0xba4fc28e, 0xf20c0dfe, 0x493c7d27, 0, 0},
};

CRC_TARGET static inline __m512i add(__m512i a, __m512i b) { return _mm512_xor_si512(a, b); }

CRC_TARGET static inline __m512i fold(__m512i x, __m512i factors, __m512i next) {
    enum { XOR_OF_THREE = 0x96 };
    return _mm512_ternarylogic_epi64(
        _mm512_clmulepi64_epi128(x, factors, 0x00), _mm512_clmulepi64_epi128(x, factors, 0x11), next,
        XOR_OF_THREE);
}

// Vector `index` of a block's four, behind the last lane; added to `sum`.
CRC_TARGET static inline __m512i move(__m512i x, int index, __m512i sum) {
    return fold(x, _mm512_load_si512(to_end[index]), sum);
}

// The register that the moved lanes and the last lane, which is that of `last`, come to.
CRC_TARGET static inline uint32_t reduce(__m512i moved, __m512i last) {
    __m256i half = _mm256_xor_si256(
        _mm512_castsi512_si256(moved), _mm512_extracti64x4_epi64(moved, 1));
    __m128i lane = _mm_xor_si128(
        _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)),
        _mm512_extracti32x4_epi32(last, 3));
    uint64_t crc = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(lane));
    return (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(lane, 1));
}

// The vector that ends at `end`, of which only the last `words` times 4 bytes are input, 1 to 16;
// `crc` is added to the first of them. Zeros in front change nothing, and are not loaded.
CRC_TARGET static inline __m512i first_vector(uint32_t crc, const uint8_t *end, size_t words) {
    __mmask16 mask = (__mmask16)(0xFFFFu << (WORDS - words));
    __mmask16 first = (__mmask16)(1u << (WORDS - words));
    return add(_mm512_maskz_loadu_epi32(mask, end - VECTOR),
               _mm512_maskz_set1_epi32(first, (int)crc));
}

// 4 to 256 bytes, a multiple of 4: a block with zeros in front.
CRC_TARGET static inline uint32_t part_of_block(uint32_t crc, const uint8_t *p, size_t length) {
    const uint8_t *end = p + length;
    size_t words = length / 4;
    __m512i sum = _mm512_setzero_si512();
    if (words <= WORDS) {
        __m512i last = first_vector(crc, end, words);
        return reduce(move(last, 3, sum), last);
    }
    __m512i last = _mm512_loadu_si512(end - VECTOR);
    sum = move(last, 3, sum);
    int index = 2;
    for (words -= WORDS, end -= VECTOR; words > WORDS; words -= WORDS, end -= VECTOR)
        sum = move(_mm512_loadu_si512(end - VECTOR), index--, sum);
    return reduce(move(first_vector(crc, end, words), index, sum), last);
}

// Whole blocks, at least one.
CRC_TARGET static inline uint32_t blocks(uint32_t crc, const uint8_t *p, size_t length) {
    const __m512i factors = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)over_block));
    __m512i a = add(_mm512_loadu_si512(p), _mm512_maskz_set1_epi32(1, (int)crc));
    __m512i b = _mm512_loadu_si512(p + VECTOR);
    __m512i c = _mm512_loadu_si512(p + 2 * VECTOR);
    __m512i d = _mm512_loadu_si512(p + 3 * VECTOR);
    for (p += BLOCK, length -= BLOCK; length; p += BLOCK, length -= BLOCK) {
        for (int i = 0; i < 4; i++) _mm_prefetch(p + AHEAD + i * VECTOR, _MM_HINT_T0);
        a = fold(a, factors, _mm512_loadu_si512(p));
        b = fold(b, factors, _mm512_loadu_si512(p + VECTOR));
        c = fold(c, factors, _mm512_loadu_si512(p + 2 * VECTOR));
        d = fold(d, factors, _mm512_loadu_si512(p + 3 * VECTOR));
    }
    __m512i sum = move(a, 0, move(b, 1, _mm512_setzero_si512()));
    return reduce(add(sum, move(c, 2, move(d, 3, _mm512_setzero_si512()))), d);
}

// What does not fill a block comes first, so that the loop ends where the input ends.
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,vpclmulqdq,pclmul,sse4.2")))
static uint32_t checksum(uint32_t seed, const void *bytes, size_t length) {
    const uint8_t *p = bytes;
    uint32_t crc = ~seed;
    size_t front = length % BLOCK;
    if (front <= SERIAL_MOST) {
        crc = serial(crc, p, front);
    } else {
        size_t odd = front % 4;
        crc = part_of_block(serial_rest(crc, p, odd), p + odd, front - odd);
    }
    return ~(length == front ? crc : blocks(crc, p + front, length - front));
}

cm_crc32c_set cm_crc32c_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("pclmul") &&
                   __builtin_cpu_supports("sse4.2")
               ? checksum
               : NULL;
}
#else
cm_crc32c_set cm_crc32c_avx512(void) { return NULL; }
#endif
