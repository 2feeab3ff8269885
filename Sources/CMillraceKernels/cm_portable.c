#define CM_LANES 4
#define CM_VECTORS 2
#define CM_WIDE 4
#define CM_DEPTH 512
#define CM_CHAINS 1
#define CM_SINGLES 0
#define CM_HALVES 0
#define CM_UNROLL_DEPTH _Pragma("clang loop unroll_count(4)")
// Processors flush in different ways: keeping denormal numbers gives the same bits on all.
#define CM_FLUSH 0
#define CM_TILE_BYTES (192 * 1024)
#define CM_FMA(a, b, c) ((a) * (b) + (c))
#include "cm_body.h"

const cm_kernel_set *cm_kernels_portable(void) { return &kernel_set; }
