#include "cm_crc32c.h"

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

static uint32_t choose(uint32_t seed, const void *bytes, size_t length);

static cm_crc32c_set chosen = choose;

// Finds the best set at the first call. Threads that come at once find the same.
static uint32_t choose(uint32_t seed, const void *bytes, size_t length) {
    cm_crc32c_set best = cm_crc32c_avx512();
    if (!best) best = cm_crc32c_sse42();
    if (!best) best = cm_crc32c_portable;
    __atomic_store_n(&chosen, best, __ATOMIC_RELAXED);
    return best(seed, bytes, length);
}

uint32_t cm_crc32c(uint32_t seed, const void *bytes, size_t length) {
    return __atomic_load_n(&chosen, __ATOMIC_RELAXED)(seed, bytes, length);
}
