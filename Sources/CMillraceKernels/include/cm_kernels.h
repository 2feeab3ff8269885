#ifndef CM_KERNELS_H
#define CM_KERNELS_H

#include <stdbool.h>
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
    CM_EXP = 6,   // no layer has it; softmax is made of it
};

/// What becomes of the last layer's outputs.
enum {
    CM_HEAD_NONE = 0,
    CM_HEAD_SOFTMAX = 1,
    CM_HEAD_SHARES = 2,  // each divided by their sum
};

/// What each row of features is divided by, after everything else.
enum {
    CM_NORM_NONE = 0,
    CM_NORM_L1 = 1,   // the sum of its magnitudes
    CM_NORM_L2 = 2,   // its Euclidean length
    CM_NORM_MAX = 3,  // its largest magnitude
};

/// What a missing feature (NaN) leads to.
enum {
    CM_PROPAGATE = 0,  // outputs that are NaN
    CM_IMPUTE = 1,     // another value in its place
    CM_REJECT = 2,     // no outputs for the row; likewise with an infinite feature
};

/// Columns of half a vector, in sets that have them.
#define CM_HALF_LANES 8

/// How the columns of a layer are divided: panels of whole vectors first, then those of half a vector,
/// then single ones.
typedef struct {
    size_t paneled;
    size_t half;  // at most CM_HALF_LANES
    size_t single;
} cm_columns;

/// Rows of the largest tile.
#define CM_TILE_ROWS_MAX 96

/// float32 as an element of a matrix, beside the types of `cm_widen.h`.
#define CM_FLOAT32 1

/// A dense layer as the kernels of one set read it.
///
/// `weights` stand as `cm_kernel_set.columns` divides the outputs. Those in panels come first:
/// panel p starts at element p * `cm_kernel_set.panel` * inputs and holds, input by input, its columns
/// side by side; the last one is narrower when fewer columns are left, as wide as whole vectors need,
/// filled with zeros. Then those of half a vector in the same way, CM_HALF_LANES wide; then of each
/// single column its inputs side by side, filled with zeros to whole vectors. For a foreign product
/// weights are `[inputs, outputs]`, row-major. `bias` has as many elements as the padded columns.
typedef struct {
    const float *weights;
    const float *bias;
    size_t inputs;
    size_t outputs;
    size_t stride;  // from row to row of the outputs in a tile: padded to whole vectors
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
    int32_t missing;
} cm_conditioning;

/// What a layer in bytes has beside its `cm_layer`, whose `bias` is what is added to scaled sums.
/// Each array has as many elements as the padded outputs, zeros behind the outputs.
///
/// An output's sum begins with `start`, in which the products of its weights with the bytes that
/// stand for zero are taken off. Then `x = sum * scale + bias` with one rounding. Of the last layer
/// the activation of x is the output. Otherwise x (where `next_scale` is null: the activation is no
/// more than a cut at 0, and scale and bias are those of the next layer's bytes), or else
/// `activation(x) * next_scale + next_zero` with one rounding, is cut to 0 and 255 and rounded to
/// nearest, ties to even.
typedef struct {
    const int32_t *start;
    const float *scale;
    const float *next_scale;
    const float *next_zero;
} cm_byte_layer;

/// Rows as they are stored. `scale` and `zero_point` are those of integers.
typedef struct {
    const void *cells;
    size_t rows;
    size_t stride;  // bytes from row to row
    int32_t type;
    float scale;
    int32_t zero_point;
} cm_matrix;

/// What predictions of some rows cost.
typedef struct {
    double plain;     // the sum of losses, whatever the rows' weights
    double weighted;  // each times its row's weight
    size_t right;     // how many rows' most probable class is theirs
} cm_losses;

/// What was found while predicting.
typedef struct {
    uint64_t missing;     // features in whose place another value stood
    uint64_t rejected;    // rows without outputs, which are NaN
    uint64_t not_finite;  // other rows with an output that is infinite or NaN
} cm_counts;

/// A model as the kernels of one set read it.
typedef struct {
    cm_conditioning input;
    const uint32_t *select;  // for each feature its column in a row of the source; null for all
    size_t row_width;        // columns of the source
    size_t input_stride;     // from row to row of the features in a tile
    int32_t plain;           // whether the features are the first layer's input as they are
    int32_t norm;
    const cm_layer *layers;
    size_t layer_count;
    size_t outputs;
    int32_t head;
    size_t tile_rows;       // at most CM_TILE_ROWS_MAX
    size_t scratch_stride;  // floats of a row of scratch memory, which holds two tiles

    /// Of layers in bytes, null elsewhere: beside each of `layers`, and for the features, as the
    /// first layer takes them, `byte_scale` and `byte_zero`, of `input_stride` elements each: what a
    /// byte is rounded from is `feature * byte_scale + byte_zero`.
    const cm_byte_layer *bytes;
    const float *byte_scale;
    const float *byte_zero;

    /// Elements of another type to float32; see `cm_widen_set.widen`.
    void (*widen)(int32_t type, const void *from, float *to, size_t count, float scale,
                  int32_t zero_point);

    /// A foreign product, c[rows, columns] = a[rows, depth] * b[depth, columns]; null for the
    /// set's own.
    void (*multiply)(size_t rows, size_t columns, size_t depth, const float *a, size_t a_stride,
                     const float *b, float *c, size_t c_stride);
} cm_network;

/// What a product is multiplied by: the derivative of a function, from its arguments z and its values,
/// of the product's shape. totals[columns] become the sums of the columns of what comes of it, rows
/// from first to last.
typedef struct {
    int32_t function;
    const float *z, *values;  // null for no derivative
    float *totals;
} cm_slopes;

/// c[rows, columns] = activation(a b + bias), summing over `depth`, rows of c `c_stride` apart.
///
/// Element (i, k) of `a` is a[i * a_row + k * a_step]; `b` is [depth, columns], or
/// [columns, depth] when `b_transposed`, rows `b_stride` apart. `bias` may be null.
///
/// With `slopes` it is a plain product, without bias and activation, rows of c `columns` apart; it has
/// the bits that `differentiate` makes of it.
typedef struct {
    size_t rows, columns, depth;
    const float *a;
    size_t a_row, a_step;
    int32_t a_in_memory;  // whether rows of `a` are in no cache yet; no bit depends on it
    const float *b;
    size_t b_stride;
    int32_t b_transposed;
    const float *bias;
    int32_t activation;
    float *c;
    size_t c_stride;
    cm_slopes slopes;
} cm_product;

/// How parameters follow from their gradient.
enum {
    CM_SGD = 0,
    CM_MOMENTUM = 1,
    CM_NESTEROV = 2,
    CM_ADAGRAD = 3,
    CM_ADAM = 4,  // AdamW too: by `decay`
    CM_FTRL = 5,
};

/// The constants of one step of an optimiser. Constants that no optimiser of the kind uses are not
/// read. `rest1` is 1 - beta1, which in float32 would lose digits; `correction1` is
/// 1 / (1 - beta1^t); likewise those of beta2.
typedef struct {
    int32_t kind;
    float rate;
    float scale;  // what the gradient is multiplied by first
    float limit;  // then cut off at, in either direction; infinity for nothing
    float l1, l2;
    float epsilon;
    float decay;         // what a parameter is multiplied by before the step
    float beta1, rest1;  // beta1: momentum's decay too
    float correction1;
    float beta2, rest2, correction2;
    float per_alpha;  // FTRL: one over alpha
    float beta;       // FTRL
} cm_optimizer_step;

/// What a row's loss is, for rows that are learnt one by one.
enum {
    CM_LOSS_SQUARED = 0,
    CM_LOSS_HUBER = 1,
    CM_LOSS_LOGISTIC = 2,
};

/// A linear model of one output while rows are learnt one by one. A weight is `scale` times its
/// element of `weights`.
typedef struct {
    int32_t loss;
    double huber;  // the error from which Huber's loss is linear
    double rate;
    double l1, l2;
    double limit;  // of the gradient by the sum, in either direction; infinity for nothing
    double scale;
    double bias;
    double penalty;  // the L1 penalty that every weight could have had so far
    float *weights;
    double *paid;  // the L1 penalty that each weight has had; null where there is none
} cm_linear_learner;

/// Rows to learn, as they come: `stage` makes the model's input of them.
typedef struct {
    const cm_conditioning *stage;  // with scales
    const float *x;
    size_t stride;
    size_t rows;
    const float *labels;
    const float *factors;  // what each row's gradient is multiplied by; null for 1
    // As `column_moments` fills them, of all rows as they came; null where they are not wanted.
    double *count, *mean, *squares;
} cm_row_source;

/// How many rows there are of each kind, and twice the number of pairs of a positive and a negative
/// row in which the positive one has the higher score; pairs of equal scores count once.
typedef struct {
    uint64_t positives, negatives, twice;
} cm_pairs_won;

/// One implementation of everything below, for one kind of processor.
///
/// Every element of a result is computed by the same operations in the same order whatever the
/// number of rows, the row's place, or the alignment: sums begin with the bias and run over the
/// inputs from first to last in one accumulator, or, where a vector holds all outputs that are
/// left, in some in turn; for single columns, in one accumulator for each lane, added up in a fixed
/// order. Strides are in elements.
typedef struct {
    size_t lanes;
    size_t panel;
    cm_columns (*columns)(size_t outputs);
    size_t tile_bytes;  // for a tile's activations: about what the nearest caches hold

    /// output[rows, outputs] from the rows of `source`, without gaps; adds to `counts`. Sets the
    /// floating-point mode and restores the caller's. Allocates nothing, takes no lock.
    void (*predict)(const cm_network *network, const cm_matrix *source, float *output,
                    float *scratch, cm_counts *counts);

    /// y[rows, width] from raw features; `missing`, if not null, gets how many each row lacks.
    void (*condition)(const cm_conditioning *stage, const float *x, size_t x_stride, size_t rows,
                      float *y, size_t y_stride, uint32_t *missing);

    /// Whether one of the elements is infinite.
    int (*has_infinity)(const float *x, size_t count);
    /// Whether all elements are numbers and none is infinite.
    int (*are_finite)(const float *x, size_t count);

    /// z += bias, a = activation(z), both [rows, columns]; `a` may be `z`.
    void (*activate)(int32_t activation, const float *bias, size_t rows, size_t columns, float *z,
                     size_t z_stride, float *a, size_t a_stride);

    /// delta[rows, columns] *= the activation's derivative, from its argument z and its value a;
    /// sums[columns] = the sums of its columns, rows from first to last.
    void (*differentiate)(int32_t activation, const float *z, const float *a, float *delta,
                          size_t rows, size_t columns, float *sums);

    /// Each row of x[rows, columns] becomes its softmax, in place.
    void (*softmax)(float *x, size_t stride, size_t rows, size_t columns);

    /// Each row of x[rows, columns] is divided by its norm, if that is not zero, in place.
    void (*normalise)(int32_t norm, float *x, size_t stride, size_t rows, size_t columns);

    /// A matrix product; `scratch` has `product_scratch` floats.
    void (*product)(const cm_product *product, float *scratch);
    size_t (*product_scratch)(size_t rows, size_t columns, size_t depth);

    /// y[columns] = the sums of the columns of x[rows, columns].
    void (*column_sums)(const float *x, size_t rows, size_t columns, float *y);

    /// Count, mean and sum of squared differences from the mean of each column of x[rows, width],
    /// without missing (NaN) elements, in double.
    void (*column_moments)(const float *x, size_t x_stride, size_t rows, size_t width,
                           double *count, double *mean, double *squares);

    /// The moments of more rows are added to those of some; the same bits with every set.
    void (*merge_moments)(double *count, double *mean, double *squares, const double *more_count,
                          const double *more_mean, const double *more_squares, size_t width);

    /// What columns of these moments are multiplied by to have a standard deviation of 1, and 1 where
    /// that is no normal float; the same bits with every set.
    void (*column_units)(const double *count, const double *squares, size_t width, float *units);

    /// How many of the labels are no whole numbers from 0 to below `classes`.
    size_t (*labels_outside)(const float *labels, size_t rows, size_t classes);

    /// Counts rows in `bins` equal bins of their log odds from -range to range; those beyond count in
    /// the outer ones, and what is no number in the first.
    void (*count_odds)(const float *odds, const float *labels, size_t rows, double range,
                       size_t bins, uint64_t *positives, uint64_t *negatives);

    /// Counts pairs among fewer than 2^32 rows; `sorted` and `spare` have room for a number of each.
    /// The same with every set.
    cm_pairs_won (*count_pairs)(const float *scores, const bool *positives, size_t count,
                                uint32_t *sorted, uint32_t *spare);

    /// Of rows with log odds `sums` and labels 0 or 1: probabilities, log-losses, and if `delta` is
    /// not null their slopes, times `factors` if not null.
    cm_losses (*judge_logistic)(const float *sums, const float *labels, const float *factors,
                                size_t rows, float *outputs, float *delta);

    /// The same of rows with a sum for each class, with slopes; labels are below `classes`.
    cm_losses (*judge_softmax)(const float *sums, size_t classes, const float *labels,
                               const float *factors, size_t rows, float *outputs, float *delta);

    /// One step of an optimiser on `count` parameters with their gradient and the optimiser's state:
    /// velocity or mean gradient, FTRL's z (first); sum or mean of squared gradients (second).
    void (*optimize)(const cm_optimizer_step *step, float *parameters, const float *gradient,
                     float *first, float *second, size_t count);

    /// y[rows, width], the model's input, and the moments of the rows as they came; `scratch` has
    /// `learn_scratch` floats.
    void (*prepare_rows)(const cm_row_source *source, float *y, float *scratch);

    /// Learns rows one by one: predicts each, then takes a step of SGD. `sums` gets each row's
    /// prediction before its step; `scratch` has `learn_scratch` floats. Returns how many rows were
    /// learnt: fewer than there are when a sum was not finite.
    size_t (*learn_rows)(cm_linear_learner *learner, const cm_row_source *source, float *sums,
                         float *scratch);
    size_t (*learn_scratch)(size_t width);
} cm_kernel_set;

/// The kernels of a set; null where the processor or the operating system lacks what they need.
/// `cm_kernels_portable` is never null.
const cm_kernel_set *cm_kernels_avx512(void);
const cm_kernel_set *cm_kernels_avx2(void);
const cm_kernel_set *cm_kernels_portable(void);

#endif
