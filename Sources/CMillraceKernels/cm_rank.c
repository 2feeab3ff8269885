#include "cm_rank.h"

#include <string.h>

// Source: Knuth, The Art of Computer Programming, volume 3, 5.2.5 (radix list sort), with counts.

#define CM_DIGIT_BITS 11
#define CM_DIGITS (1 << CM_DIGIT_BITS)
#define CM_PASSES 3

// The pass-th digit of a key, from the lowest on.
static inline uint32_t digit_of(uint32_t key, int pass) {
    return key >> (pass * CM_DIGIT_BITS) & (CM_DIGITS - 1);
}

static void sort_by_digit(const uint32_t *from, uint32_t *to, size_t count, uint32_t *places,
                          int pass) {
    for (size_t i = 0; i < count; i++) to[places[digit_of(from[i], pass)]++] = from[i];
}

void cm_sort_keys(uint32_t *keys, uint32_t *spare, size_t count) {
    uint32_t places[CM_PASSES][CM_DIGITS];
    memset(places, 0, sizeof places);
    for (size_t i = 0; i < count; i++) {
        for (int pass = 0; pass < CM_PASSES; pass++) places[pass][digit_of(keys[i], pass)]++;
    }
    for (int pass = 0; pass < CM_PASSES; pass++) {
        uint32_t next = 0;
        for (int digit = 0; digit < CM_DIGITS; digit++) {
            const uint32_t own = places[pass][digit];
            places[pass][digit] = next;
            next += own;
        }
    }
    sort_by_digit(keys, spare, count, places[0], 0);
    sort_by_digit(spare, keys, count, places[1], 1);
    sort_by_digit(keys, spare, count, places[2], 2);
    memcpy(keys, spare, count * sizeof *keys);
}
