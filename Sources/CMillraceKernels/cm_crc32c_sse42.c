// The CRC instruction takes a word every cycle but gives its result after three: so a block is cut
// into three lanes whose registers grow side by side, and a carry-less multiplication moves the first
// two behind the third.
//
// Source: Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", Intel,
// 2011.

#include "cm_crc32c.h"

#if defined(__x86_64__)
#include "cm_crc32c_serial.h"

#define CRC_TARGET __attribute__((target("sse4.2,pclmul")))

// How far ahead of the loads memory is asked for: processors follow three streams badly by
// themselves, the worse the longer the lanes are.
enum { AHEAD = 3072 };

// A length of lanes, and what moves a register over two lanes and over one: x^(8 * bytes - 33)
// modulo the polynomial, bits reflected. The 33 is the 32 bits that the instruction appends and the
// one by which a product of reflected polynomials is out of place.
struct lanes {
    size_t bytes;
    uint32_t over_two, over_one;
};

static const struct lanes long_lanes = {256, 0xdd7e3b0c, 0xb9e02b86};
static const struct lanes short_lanes = {32, 0x9e4addf8, 0xba4fc28e};

CRC_TARGET static inline uint64_t word_at(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

CRC_TARGET static inline __m128i product(uint64_t crc, uint32_t factor) {
    return _mm_clmulepi64_si128(
        _mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi64_si128((int64_t)factor), 0x00);
}

// One block of three lanes.
CRC_TARGET __attribute__((always_inline)) static inline uint32_t block(
    uint32_t crc, const uint8_t *p, struct lanes lanes) {
    uint64_t first = crc, second = 0, third = 0;
    for (size_t i = 0; i < lanes.bytes; i += 8) {
        if (i % 64 == 0) {
            for (size_t lane = 0; lane < 3; lane++)
                _mm_prefetch(p + AHEAD + lane * lanes.bytes + i, _MM_HINT_T0);
        }
        first = _mm_crc32_u64(first, word_at(p + i));
        second = _mm_crc32_u64(second, word_at(p + lanes.bytes + i));
        third = _mm_crc32_u64(third, word_at(p + 2 * lanes.bytes + i));
    }
    __m128i moved = _mm_xor_si128(product(first, lanes.over_two), product(second, lanes.over_one));
    return (uint32_t)(third ^ _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(moved)));
}

CRC_TARGET static uint32_t checksum(uint32_t seed, const void *bytes, size_t length) {
    const uint8_t *p = bytes;
    uint32_t crc = ~seed;
    for (; length >= 3 * 256; p += 3 * 256, length -= 3 * 256) crc = block(crc, p, long_lanes);
    for (; length >= 3 * 32; p += 3 * 32, length -= 3 * 32) crc = block(crc, p, short_lanes);
    return ~serial(crc, p, length);
}

cm_crc32c_set cm_crc32c_sse42(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") ? checksum : NULL;
}
#else
cm_crc32c_set cm_crc32c_sse42(void) { return NULL; }
#endif
