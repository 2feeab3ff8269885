#include "cm_kernels.h"

#if defined(__x86_64__)
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CM_LANES 8
#define CM_VECTORS 2
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "cm_body.h"
#pragma clang attribute pop

const cm_kernel_set *cm_kernels_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernel_set : NULL;
}
#else
const cm_kernel_set *cm_kernels_avx2(void) { return NULL; }
#endif
