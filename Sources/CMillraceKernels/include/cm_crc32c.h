#ifndef CM_CRC32C_H
#define CM_CRC32C_H

// The checksum of batches and headers; that of a control word is in cm_check8.h.

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `length` bytes, continuing from the
/// checksum `seed` (0 at the start), by the fastest of the sets below that this processor has.
/// Source: RFC 3720, appendix B.4.
uint32_t cm_crc32c(uint32_t seed, const void *bytes, size_t length);

/// One implementation of `cm_crc32c`; all give the same results.
typedef uint32_t (*cm_crc32c_set)(uint32_t seed, const void *bytes, size_t length);

/// Carry-less multiplication of 64-byte vectors, as fast as memory delivers; null where the
/// processor or the operating system lacks what it needs (AVX-512 F, BW, DQ, VL and VPCLMULQDQ).
cm_crc32c_set cm_crc32c_avx512(void);

/// The CRC instruction on three parts at once, about 8 bytes a cycle; null where the processor lacks
/// SSE 4.2 or PCLMULQDQ.
cm_crc32c_set cm_crc32c_sse42(void);

/// By a table, a byte at a time: what the others are tested against, and all that other processors
/// have.
uint32_t cm_crc32c_portable(uint32_t seed, const void *bytes, size_t length);

#endif
