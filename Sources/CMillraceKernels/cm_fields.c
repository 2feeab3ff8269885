#include "cm_fields.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/// Adds the places of the separators among 16 bytes, of which `mask` has a bit for each.
static inline int64_t add(
    uint32_t mask, int64_t base, int32_t *places, int64_t room, int64_t found)
{
    while (mask) {
        if (found < room) places[found] = (int32_t)(base + __builtin_ctz(mask));
        found++;
        mask &= mask - 1;
    }
    return found;
}

static int64_t find_byte_by_byte(
    const uint8_t *text, int64_t from, int64_t count, uint8_t separator, int32_t *places,
    int64_t room, int64_t found, uint32_t *flags)
{
    uint8_t all = 0;
    uint32_t quote = 0;
    for (int64_t i = from; i < count; i++) {
        uint8_t byte = text[i];
        all |= byte;
        quote |= byte == '"';
        if (byte == separator) {
            if (found < room) places[found] = (int32_t)i;
            found++;
        }
    }
    *flags |= (quote ? CM_FIELDS_QUOTE : 0) | (all > 0x7F ? CM_FIELDS_HIGH : 0);
    return found;
}

int64_t cm_fields_find(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags)
{
    *flags = 0;
#if defined(__x86_64__)
    // SSE2, which every x86-64 has. The last 16 bytes are loaded whole, and those of them that were
    // seen already are left out.
    if (count >= 16) {
        const __m128i wanted = _mm_set1_epi8((char)separator);
        const __m128i quotes = _mm_set1_epi8('"');
        __m128i any = _mm_setzero_si128();
        uint32_t high = 0;
        int64_t found = 0;
        int64_t at = 0;
        while (at < count) {
            int64_t base = at + 16 <= count ? at : count - 16;
            __m128i bytes = _mm_loadu_si128((const __m128i *)(text + base));
            any = _mm_or_si128(any, _mm_cmpeq_epi8(bytes, quotes));
            high |= (uint32_t)_mm_movemask_epi8(bytes);
            uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
            mask &= 0xFFFFu << (at - base);
            found = add(mask, base, places, room, found);
            at = base + 16;
        }
        *flags = (_mm_movemask_epi8(any) ? CM_FIELDS_QUOTE : 0) | (high ? CM_FIELDS_HIGH : 0);
        return found;
    }
#endif
    return find_byte_by_byte(text, 0, count, separator, places, room, 0, flags);
}
