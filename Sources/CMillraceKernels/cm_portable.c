#define CM_LANES 4
#define CM_VECTORS 2
#define CM_WIDE 4
#define CM_DEPTH 512
#define CM_UNROLL_DEPTH _Pragma("clang loop unroll_count(4)")
// Processors flush in different ways: keeping denormal numbers gives the same bits on all.
#define CM_FLUSH 0
#define CM_TILE_BYTES (192 * 1024)
#define CM_FMA(a, b, c) ((a) * (b) + (c))
#include "cm_body.h"

const cm_kernel_set *cm_kernels_portable(void) { return &kernel_set; }

void cm_column_moments(const float *x, size_t x_stride, size_t rows, size_t width, double *count,
                       double *mean, double *squares) {
    for (size_t i = 0; i < width; i++) count[i] = mean[i] = squares[i] = 0;
    for (size_t row = 0; row < rows; row++) {
        const float *at = x + row * x_stride;
        for (size_t i = 0; i < width; i++) {
            count[i] += at[i] == at[i] ? 1 : 0;
            mean[i] += at[i] == at[i] ? (double)at[i] : 0;
        }
    }
    for (size_t i = 0; i < width; i++) mean[i] = count[i] > 0 ? mean[i] / count[i] : 0;
    for (size_t row = 0; row < rows; row++) {
        const float *at = x + row * x_stride;
        for (size_t i = 0; i < width; i++) {
            double difference = at[i] == at[i] ? (double)at[i] - mean[i] : 0;
            squares[i] += difference * difference;
        }
    }
}
