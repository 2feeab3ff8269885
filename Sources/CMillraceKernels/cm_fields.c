#include "cm_fields.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define CM_INLINE static inline __attribute__((always_inline))

#include "cm_text.h"

/// Adds the places of the separators among 64 bytes or fewer, of which `mask` has a bit for each.
CM_INLINE int64_t add(uint64_t mask, int64_t base, int32_t *places, int64_t room, int64_t found) {
    while (mask) {
        if (found < room) places[found] = (int32_t)(base + __builtin_ctzll(mask));
        found++;
        mask &= mask - 1;
    }
    return found;
}

static int64_t find_byte_by_byte(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags) {
    int64_t found = 0;
    uint8_t all = 0;
    uint32_t quote = 0;
    for (int64_t i = 0; i < count; i++) {
        uint8_t byte = text[i];
        all |= byte;
        quote |= byte == '"';
        if (byte == separator) found = add(1, i, places, room, found);
    }
    *flags = (quote ? CM_FIELDS_QUOTE : 0) | (all > 0x7F ? CM_FIELDS_HIGH : 0);
    return found;
}

// The last bytes of a line are loaded as a whole vector; those that were seen already are left out.
#if defined(__x86_64__)
#include <immintrin.h>

static int64_t find_portable(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags) {
    // SSE2, which every x86-64 has.
    if (count < 16) return find_byte_by_byte(text, count, separator, places, room, flags);
    const __m128i wanted = _mm_set1_epi8((char)separator), quotes = _mm_set1_epi8('"');
    __m128i any = _mm_setzero_si128();
    uint32_t high = 0;
    int64_t found = 0;
    for (int64_t at = 0; at < count; at += 16) {
        int64_t base = at + 16 <= count ? at : count - 16;
        __m128i bytes = _mm_loadu_si128((const __m128i *)(text + base));
        any = _mm_or_si128(any, _mm_cmpeq_epi8(bytes, quotes));
        high |= (uint32_t)_mm_movemask_epi8(bytes);
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
        found = add(mask & (0xFFFFu << (at - base)), base, places, room, found);
    }
    *flags = (_mm_movemask_epi8(any) ? CM_FIELDS_QUOTE : 0) | (high ? CM_FIELDS_HIGH : 0);
    return found;
}
#else
#define find_portable find_byte_by_byte
#endif

CM_INLINE uint32_t read_short_portable(
    const uint8_t *text, const int32_t *places, int32_t count, float *to, int has_room,
    uint32_t *negative) {
    uint32_t known = 0;
    *negative = 0;
    (void)has_room;
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *at = text + places[i] + 1, *end = text + places[i + 1];
        uint32_t is_negative = at < end && *at == '-';
        at += is_negative;
        int32_t value = at < end && end - at <= 4 ? read_digits(text, at, end) : -1;
        if (value < 0) continue;
        to[i] = is_negative ? -(float)value : (float)value;
        known |= 1u << i;
        *negative |= is_negative << i;
    }
    return known;
}

CM_INLINE int64_t scan_portable(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags, int ends) {
    int64_t found = find_portable(text, count, separator, places, room, flags);
    return ends ? add(1, count, places, room, found) : found;
}

#define CM_SET(name) name##_portable
#define CM_NAME "portable"
#define CM_SHORT_COUNT 32
#include "cm_fields_body.h"

const cm_fields_set *cm_fields_portable(void) { return &set_portable; }

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), \
                             apply_to = function)
static int64_t find_avx2(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags) {
    if (count < 32) return find_portable(text, count, separator, places, room, flags);
    const __m256i wanted = _mm256_set1_epi8((char)separator), quotes = _mm256_set1_epi8('"');
    __m256i any = _mm256_setzero_si256(), high = any;
    int64_t found = 0;
    for (int64_t at = 0; at < count; at += 32) {
        int64_t base = at + 32 <= count ? at : count - 32;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(text + base));
        any = _mm256_or_si256(any, _mm256_cmpeq_epi8(bytes, quotes));
        high = _mm256_or_si256(high, bytes);
        uint32_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, wanted));
        found = add(mask & (0xFFFFFFFFu << (at - base)), base, places, room, found);
    }
    *flags = (_mm256_movemask_epi8(any) ? CM_FIELDS_QUOTE : 0)
        | (_mm256_movemask_epi8(high) ? CM_FIELDS_HIGH : 0);
    return found;
}

CM_INLINE int64_t scan_avx2(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags, int ends) {
    int64_t found = find_avx2(text, count, separator, places, room, flags);
    return ends ? add(1, count, places, room, found) : found;
}

/// Eight fields at once: the four bytes before the end of each, gathered, as in `read_digits`.
CM_INLINE uint32_t read_short_avx2(
    const uint8_t *text, const int32_t *places, int32_t count, float *to, int has_room,
    uint32_t *negative) {
    const __m256i zero = _mm256_setzero_si256(), four = _mm256_set1_epi32(4);
    const __m256i lanes = _mm256_cmpgt_epi32(
        _mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i before = _mm256_loadu_si256((const __m256i *)places);
    const __m256i ends = _mm256_loadu_si256((const __m256i *)(places + 1));
    const __m256i from = _mm256_sub_epi32(ends, four);
    // Where the line begins within those four bytes, its first four are taken instead.
    const __m256i lacking =
        _mm256_slli_epi32(_mm256_max_epi32(_mm256_sub_epi32(zero, from), zero), 3);
    __m256i bytes = _mm256_mask_i32gather_epi32(
        zero, (const int *)text, _mm256_max_epi32(from, zero), lanes, 1);
    bytes = _mm256_sllv_epi32(bytes, lacking);
    // Lengths beyond four are refused below, whatever shifts by less than nothing make of them.
    const __m256i length = _mm256_sub_epi32(_mm256_sub_epi32(ends, before), _mm256_set1_epi32(1));
    __m256i drop = _mm256_slli_epi32(_mm256_sub_epi32(four, length), 3);
    const __m256i first = _mm256_and_si256(_mm256_srlv_epi32(bytes, drop), _mm256_set1_epi32(0xFF));
    const __m256i is_negative = _mm256_cmpeq_epi32(first, _mm256_set1_epi32('-'));
    drop = _mm256_sub_epi32(drop, _mm256_slli_epi32(is_negative, 3));
    __m256i digits = _mm256_xor_si256(bytes, _mm256_set1_epi8(0x30));
    digits = _mm256_sllv_epi32(_mm256_srlv_epi32(digits, drop), drop);
    // Drops of 0, 8, 16 and 24 bits leave one to four digits.
    const __m256i small = _mm256_cmpeq_epi32(_mm256_and_si256(drop, _mm256_set1_epi32(~24)), zero);
    const __m256i wrong = _mm256_and_si256(
        _mm256_or_si256(_mm256_add_epi8(digits, _mm256_set1_epi8(0x76)), digits),
        _mm256_set1_epi8((char)0x80));
    const __m256i known = _mm256_and_si256(
        _mm256_and_si256(small, lanes), _mm256_cmpeq_epi32(wrong, zero));
    const __m256i value = _mm256_madd_epi16(
        _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A)), _mm256_set1_epi32(0x00010064));
    const __m256 number = _mm256_or_ps(
        _mm256_cvtepi32_ps(value), _mm256_castsi256_ps(_mm256_slli_epi32(is_negative, 31)));
    // What was stored by a mask could not be loaded again soon.
    if (has_room || count >= 8) _mm256_storeu_ps(to, number);
    else _mm256_maskstore_ps(to, lanes, number);
    *negative = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is_negative));
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(known));
}

#define CM_SET(name) name##_avx2
#define CM_NAME "avx2"
#define CM_SHORT_COUNT 8
#include "cm_fields_body.h"
#pragma clang attribute pop

#pragma clang attribute push(                                                        \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2," \
                          "avx2,bmi,bmi2,lzcnt,popcnt"))),                             \
    apply_to = function)
static const uint8_t numbered[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

/// As `find`, and the end of the text counts as a separator too where `ends`.
CM_INLINE int64_t scan_avx512(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags, int ends) {
    const __m512i wanted = _mm512_set1_epi8((char)separator), quotes = _mm512_set1_epi8('"');
    const __m512i bytes_numbered = _mm512_loadu_si512(numbered);
    uint64_t quote = 0, high = 0;
    int64_t found = 0;
    for (int64_t at = 0; at < count + ends; at += 64) {
        uint64_t within = _bzhi_u64(~0ull, count - at < 64 ? (uint32_t)(count - at) : 64);
        __m512i bytes = _mm512_maskz_loadu_epi8(within, text + at);
        uint64_t mask = _mm512_mask_cmpeq_epi8_mask(within, bytes, wanted);
        if (ends) mask |= ~within & -~within;
        quote |= _mm512_cmpeq_epi8_mask(bytes, quotes);
        high |= _mm512_movepi8_mask(bytes);
        if (found + 64 > room) {
            found = add(mask, at, places, room, found);
            continue;
        }
        int32_t more = (int32_t)_mm_popcnt_u64(mask);
        __m512i packed = _mm512_maskz_compress_epi8(mask, bytes_numbered);
        __m512i base = _mm512_set1_epi32((int32_t)at);
        for (int32_t i = 0; i < more; i += 16) {
            __m512i here = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(places + found + i, _mm512_add_epi32(here, base));
            packed = _mm512_shuffle_i64x2(packed, packed, 0x39);
        }
        found += more;
    }
    *flags = (quote ? CM_FIELDS_QUOTE : 0) | (high ? CM_FIELDS_HIGH : 0);
    return found;
}

static int64_t find_avx512(
    const uint8_t *text, int64_t count, uint8_t separator, int32_t *places, int64_t room,
    uint32_t *flags) {
    return scan_avx512(text, count, separator, places, room, flags, 0);
}

/// Sixteen fields at once: the four bytes before the end of each, gathered, as in `read_digits`.
CM_INLINE uint32_t read_short_avx512(
    const uint8_t *text, const int32_t *places, int32_t count, float *to, int has_room,
    uint32_t *negative) {
    const __m512i zero = _mm512_setzero_si512(), four = _mm512_set1_epi32(4);
    const __mmask16 lanes = (__mmask16)_bzhi_u32(0xFFFF, (uint32_t)count);
    const __m512i ends = _mm512_loadu_si512(places + 1);
    // Not loaded: the places were only just stored, and not all by one instruction.
    const __m512i before = _mm512_alignr_epi32(ends, _mm512_set1_epi32(places[0]), 15);
    const __m512i from = _mm512_sub_epi32(ends, four);
    // Where the line begins within those four bytes, its first four are taken instead.
    const __m512i lacking =
        _mm512_slli_epi32(_mm512_max_epi32(_mm512_sub_epi32(zero, from), zero), 3);
    __m512i bytes =
        _mm512_mask_i32gather_epi32(zero, lanes, _mm512_max_epi32(from, zero), text, 1);
    bytes = _mm512_sllv_epi32(bytes, lacking);
    // Lengths beyond four are refused below, whatever shifts by less than nothing make of them.
    const __m512i length = _mm512_sub_epi32(_mm512_sub_epi32(ends, before), _mm512_set1_epi32(1));
    __m512i drop = _mm512_slli_epi32(_mm512_sub_epi32(four, length), 3);
    const __mmask16 is_negative = _mm512_cmpeq_epi32_mask(
        _mm512_and_si512(_mm512_srlv_epi32(bytes, drop), _mm512_set1_epi32(0xFF)),
        _mm512_set1_epi32('-'));
    drop = _mm512_mask_add_epi32(drop, is_negative, drop, _mm512_set1_epi32(8));
    __m512i digits = _mm512_xor_si512(bytes, _mm512_set1_epi8(0x30));
    digits = _mm512_sllv_epi32(_mm512_srlv_epi32(digits, drop), drop);
    // Drops of 0, 8, 16 and 24 bits leave one to four digits.
    const __mmask16 small = _mm512_mask_testn_epi32_mask(lanes, drop, _mm512_set1_epi32(~24));
    const __m512i wrong =
        _mm512_or_si512(_mm512_add_epi8(digits, _mm512_set1_epi8(0x76)), digits);
    const __mmask16 known =
        _mm512_mask_testn_epi32_mask(small, wrong, _mm512_set1_epi8((char)0x80));
    const __m512i value = _mm512_madd_epi16(
        _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A)), _mm512_set1_epi32(0x00010064));
    __m512 number = _mm512_cvtepi32_ps(value);
    number = _mm512_mask_or_ps(number, is_negative, number, _mm512_set1_ps(-0.0f));
    // What was stored by a mask could not be loaded again soon.
    if (has_room || count >= 16) _mm512_storeu_ps(to, number);
    else _mm512_mask_storeu_ps(to, lanes, number);
    *negative = is_negative;
    return known;
}

#define CM_SET(name) name##_avx512
#define CM_NAME "avx512"
#define CM_SHORT_COUNT 16
#include "cm_fields_body.h"
#pragma clang attribute pop

const cm_fields_set *cm_fields_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
                   && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt")
                   && __builtin_cpu_supports("popcnt")
               ? &set_avx2
               : NULL;
}

const cm_fields_set *cm_fields_avx512(void) {
    __builtin_cpu_init();
    return cm_fields_avx2() && __builtin_cpu_supports("avx512f")
                   && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
                   && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi")
                   && __builtin_cpu_supports("avx512vbmi2")
               ? &set_avx512
               : NULL;
}
#else
const cm_fields_set *cm_fields_avx2(void) { return NULL; }
const cm_fields_set *cm_fields_avx512(void) { return NULL; }
#endif

const cm_fields_set *cm_fields_best(void) {
    static const cm_fields_set *best;
    const cm_fields_set *known = __atomic_load_n(&best, __ATOMIC_RELAXED);
    if (known) return known;
    known = cm_fields_avx512();
    if (!known) known = cm_fields_avx2();
    if (!known) known = cm_fields_portable();
    __atomic_store_n(&best, known, __ATOMIC_RELAXED);
    return known;
}
