// The CRC instruction on one word after another: 3 cycles for each 8 bytes, and no set-up. `crc` is
// the register, which is the complement of a checksum.

#include "cm_crc32c.h"

#include <immintrin.h>
#include <string.h>

__attribute__((target("sse4.2"), always_inline)) static inline uint32_t serial_words(
    uint32_t crc, const uint8_t *p, size_t length) {
    uint64_t wide = crc;
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    return (uint32_t)wide;
}

// The last `length` modulo 8 bytes, by at most three instructions.
__attribute__((target("sse4.2"), always_inline)) static inline uint32_t serial_rest(
    uint32_t crc, const uint8_t *p, size_t length) {
    if (length & 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        crc = _mm_crc32_u32(crc, word);
        p += 4;
    }
    if (length & 2) {
        uint16_t word;
        memcpy(&word, p, 2);
        crc = _mm_crc32_u16(crc, word);
        p += 2;
    }
    return length & 1 ? _mm_crc32_u8(crc, *p) : crc;
}

__attribute__((target("sse4.2"), always_inline)) static inline uint32_t serial(
    uint32_t crc, const uint8_t *p, size_t length) {
    return serial_rest(serial_words(crc, p, length), p + (length & ~(size_t)7), length);
}
