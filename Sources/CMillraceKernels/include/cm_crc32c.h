#ifndef CM_CRC32C_H
#define CM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `length` bytes, continuing from the
/// checksum `seed` (0 at the start). Hardware carry-less multiplication where the processor has it.
/// Source: RFC 3720, appendix B.4; folding constants as derived in Gopal et al., "Fast CRC
/// Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009.
uint32_t cm_crc32c(uint32_t seed, const void *bytes, size_t length);

/// The same by a table, a byte at a time: the reference that tests hold the fast one against.
uint32_t cm_crc32c_portable(uint32_t seed, const void *bytes, size_t length);

#endif
