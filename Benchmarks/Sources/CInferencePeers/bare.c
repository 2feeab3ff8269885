// What the processor does at best: the limits that figures are held against.
#define _GNU_SOURCE
#include "inference_peers.h"

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

uint64_t ip_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t ip_ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return ip_now();
#endif
}

// Chains of fused operations on registers: enough of them that none waits.
#define CHAINS 12
#define TURNS 20000
#define FMA_CHAINS(name, lanes, features)                                                       \
    __attribute__((noinline, target(features))) static float name(void) {                       \
        typedef float vector __attribute__((vector_size(lanes * 4)));                           \
        vector sums[CHAINS], by = (vector){0} + 0.999f, add = (vector){0} + 1e-3f;               \
        for (int i = 0; i < CHAINS; i++) sums[i] = add * (float)i;                               \
        for (int turn = 0; turn < TURNS; turn++) {                                               \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {                \
                sums[i] = __builtin_elementwise_fma(sums[i], by, add);                           \
            }                                                                                    \
            __asm__ volatile("" : "+v"(sums[0]));                                                \
        }                                                                                        \
        for (int i = 1; i < CHAINS; i++) sums[0] += sums[i];                                     \
        return sums[0][0];                                                                       \
    }

// A read of a whole block, added up in eight vectors.
#define READ(name, lanes, features)                                                             \
    __attribute__((noinline, target(features))) static float name(const float *x, size_t count) { \
        typedef float vector __attribute__((vector_size(lanes * 4)));                           \
        vector sums[8] = {{0}};                                                                 \
        for (size_t i = 0; i + 8 * lanes <= count; i += 8 * lanes) {                            \
            _Pragma("clang loop unroll(full)") for (int j = 0; j < 8; j++) {                    \
                vector value;                                                                   \
                memcpy(&value, x + i + j * lanes, sizeof value);                                \
                sums[j] += value;                                                               \
            }                                                                                   \
        }                                                                                       \
        for (int j = 1; j < 8; j++) sums[0] += sums[j];                                         \
        return sums[0][0];                                                                      \
    }

#if defined(__x86_64__)
FMA_CHAINS(fma_avx512, 16, "avx512f")
FMA_CHAINS(fma_avx2, 8, "avx2,fma")
READ(read_avx512, 16, "avx512f")
READ(read_avx2, 8, "avx2,fma")

static int has_avx512(void) { return __builtin_cpu_supports("avx512f"); }
static float fma_chains(void) { return has_avx512() ? fma_avx512() : fma_avx2(); }
static int lanes(void) { return has_avx512() ? 16 : 8; }
static float read_block(const float *x, size_t count) {
    return has_avx512() ? read_avx512(x, count) : read_avx2(x, count);
}
#else
#error "the limits of this processor are not known"
#endif

static volatile float kept;

double ip_fma_peak(void) {
    double best = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t begin = ip_now();
        kept = fma_chains();
        double rate = 2.0 * TURNS * CHAINS * lanes() / (double)(ip_now() - begin);
        if (rate > best) best = rate;
    }
    return best;
}

double ip_read_rate(const float *x, size_t bytes, size_t times) {
    kept = read_block(x, bytes / sizeof(float));
    uint64_t begin = ip_now();
    for (size_t i = 0; i < times; i++) kept = read_block(x, bytes / sizeof(float));
    return (double)bytes * (double)times / (double)(ip_now() - begin);
}

float ip_spin(size_t links) {
    float x = 1;
    for (size_t i = 0; i < links; i++) {
        x += 1;
        __asm__ volatile("" : "+x"(x));
    }
    return x;
}

size_t ip_spin_length(double nanoseconds) {
    const size_t sample = 1000000;
    uint64_t begin = ip_now();
    kept = ip_spin(sample);
    return (size_t)(nanoseconds * (double)sample / (double)(ip_now() - begin)) + 1;
}
