// The matrix registers of processors with AMX.
#include "cm_tiles.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "cm_mode.h"
#include "cm_widen.h"

#include <string.h>

// Of <asm/prctl.h> since Linux 5.16, and the number of the state component that tiles are.
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA 18

static uint64_t saved_state(void) {
    uint32_t a, b, c, d;
    // Without OSXSAVE the question itself is an illegal instruction.
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

uint32_t cm_amx_support(void) {
    uint32_t a, b, c, d, found = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (d & 1u << 24) found |= CM_AMX_TILE;
    if (d & 1u << 22) found |= CM_AMX_BFLOAT16;
    if (d & 1u << 25) found |= CM_AMX_INT8;
    __builtin_cpu_init();
    const int vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("fma");
    // avx512_bf16
    if (vectors && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5)) {
        found |= CM_AMX_VECTORS;
    }
    const uint64_t tiles = UINT64_C(3) << 17;
    if ((saved_state() & tiles) == tiles) found |= CM_AMX_SAVED;
    if ((found & CM_AMX_TILE) && (found & CM_AMX_SAVED) &&
        syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0) {
        found |= CM_AMX_GRANTED;
    }
    return found;
}

#define CM_TARGET "amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"
#pragma clang attribute push(__attribute__((target(CM_TARGET))), apply_to = function)
#define CM_LANES 16
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define CM_LOAD_FIRST(p, count) (vf) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p)

#include "cm_tile_instructions.h"

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *to, float __attribute__((vector_size(64))) x) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
    memcpy(to, &rounded, sizeof rounded);
}

#include "cm_tile_layers.h"
#pragma clang attribute pop

const cm_tile_set *cm_tiles_amx(void) {
    const uint32_t needed =
        CM_AMX_TILE | CM_AMX_BFLOAT16 | CM_AMX_VECTORS | CM_AMX_SAVED | CM_AMX_GRANTED;
    return (cm_amx_support() & needed) == needed ? &tile_set : NULL;
}
#else
uint32_t cm_amx_support(void) { return 0; }

const cm_tile_set *cm_tiles_amx(void) { return NULL; }
#endif
