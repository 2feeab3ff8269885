#ifndef CM_KERNELS_H
#define CM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/// What is applied to each element of a layer's output.
enum {
    CM_IDENTITY = 0,
    CM_RELU = 1,
    CM_LEAKY_RELU = 2,  // slope 0.01 below zero
    CM_TANH = 3,
    CM_SIGMOID = 4,
    CM_GELU = 5,  // the exact form, x times the normal distribution function
};

/// A dense layer as the kernels of one set read it.
///
/// `weights` are in panels of `cm_kernel_set.panel` columns: panel p starts at element
/// p * panel * inputs and holds, input by input, its columns side by side. The last panel is
/// narrower when fewer columns are left: as wide as whole vectors need, filled with zeros.
/// `bias` has as many elements as the padded columns.
typedef struct {
    const float *weights;
    const float *bias;
    size_t inputs;
    size_t outputs;
    int32_t activation;
} cm_layer;

/// How raw features become the first layer's input, feature by feature:
/// `clamp((isnan(x) ? impute : x) - mean, -limit, limit) * scale`. A null `scale` means 1.
typedef struct {
    const float *impute;
    const float *mean;
    const float *limit;
    const float *scale;
    size_t width;
} cm_conditioning;

/// The constants of one Adam step. `rest1` is 1 - beta1, which in float32 would lose digits;
/// `correction1` is 1 / (1 - beta1^t); likewise those of beta2.
typedef struct {
    float rate, epsilon, l2;
    float beta1, rest1, correction1;
    float beta2, rest2, correction2;
} cm_adam_step;

/// One implementation of everything below, for one kind of processor.
///
/// Every element of a result is computed by the same operations in the same order whatever the
/// number of rows, the row's place, or the alignment: sums run over the inputs from first to last
/// in one accumulator. Strides are in elements.
typedef struct {
    size_t lanes;
    size_t panel;

    /// y[rows, outputs] = activation(x[rows, inputs] * weights + bias). Rows of y must have room
    /// for the columns padded to whole vectors.
    void (*dense)(const cm_layer *layer, const float *x, size_t x_stride, size_t rows, float *y,
                  size_t y_stride);

    /// y[rows, width] from raw features.
    void (*condition)(const cm_conditioning *stage, const float *x, size_t x_stride, size_t rows,
                      float *y, size_t y_stride);

    /// z += bias, a = activation(z), both [rows, columns]; `a` may be `z`.
    void (*activate)(int32_t activation, const float *bias, size_t rows, size_t columns, float *z,
                     size_t z_stride, float *a, size_t a_stride);

    /// delta *= the activation's derivative, from its argument z and its value a.
    void (*differentiate)(int32_t activation, const float *z, const float *a, float *delta,
                          size_t count);

    /// Each row of x[rows, columns] becomes its softmax, in place.
    void (*softmax)(float *x, size_t stride, size_t rows, size_t columns);

    /// One Adam step on `count` parameters with their gradient and moments.
    void (*adam)(const cm_adam_step *step, float *parameters, const float *gradient, float *moment1,
                 float *moment2, size_t count);
} cm_kernel_set;

/// The kernels of a set; null where the processor or the operating system lacks what they need.
/// `cm_kernels_portable` is never null.
const cm_kernel_set *cm_kernels_avx512(void);
const cm_kernel_set *cm_kernels_avx2(void);
const cm_kernel_set *cm_kernels_portable(void);

/// Count, mean and sum of squared differences from the mean of each column of x[rows, width],
/// without missing (NaN) elements. Two passes, in double, rows from first to last; the same bits on
/// every processor.
void cm_column_moments(const float *x, size_t x_stride, size_t rows, size_t width, double *count,
                       double *mean, double *squares);

#endif
