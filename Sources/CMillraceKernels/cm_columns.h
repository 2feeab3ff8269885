// Dense layers: panels of columns, and what is left of the columns behind them, by half a vector and
// one by one. Written once for every set; see cm_body.h.

#define CM_FEW_OUTPUTS 4  // with at most as many, all columns are summed one by one

static cm_columns divide_columns(size_t outputs) {
    if (outputs <= CM_FEW_OUTPUTS) return (cm_columns){.single = outputs};
    const size_t left = outputs % CM_LANES, paneled = outputs - left;
    if (left <= CM_SINGLES) return (cm_columns){.paneled = paneled, .single = left};
#if CM_HALVES
    if (left <= CM_HALF_LANES) return (cm_columns){.paneled = paneled, .half = left};
    if (left <= CM_HALF_LANES + CM_SINGLES) {
        return (cm_columns){.paneled = paneled, .half = CM_HALF_LANES, .single = left - CM_HALF_LANES};
    }
#endif
    return (cm_columns){.paneled = outputs};
}

#if CM_HALVES
typedef float half_vector __attribute__((vector_size(CM_HALF_LANES * 4)));

CM_INLINE half_vector load_half(const float *p) {
    half_vector x;
    memcpy(&x, p, sizeof x);
    return x;
}

// One input of a block of half a vector: its weights are the first of `weights`.
CM_INLINE void add_half_input(half_vector sums[CM_ROWS], const int rows, const float *x,
                              size_t x_stride, const float *weights) {
    const half_vector w = load_half(weights);
    CM_UNROLL for (int r = 0; r < rows; r++) {
        const half_vector input = x[(size_t)r * x_stride] - (half_vector){0};
        sums[r] = CM_FMA(input, w, sums[r]);
    }
}

// As `block`, of one vector of half the lanes.
CM_INLINE void half_block(const part *p, const int rows) {
    const size_t depth = p->depth, x_stride = p->x_stride, y_stride = p->y_stride;
    const half_vector bias = load_half(p->bias);
    const float *x = p->x;
    float *y = p->y;
    for (size_t count = p->blocks; count > 0; count--) {
        half_vector chain[CM_CHAINS][CM_ROWS] = {{{0}}};
        CM_UNROLL for (int r = 0; r < rows; r++) chain[0][r] = bias;
        const float *weights = p->weights;
        size_t k = 0;
        CM_UNROLL_DEPTH for (; k + CM_CHAINS <= depth; k += CM_CHAINS) {
            CM_UNROLL for (int c = 0; c < CM_CHAINS; c++, weights += CM_HALF_LANES) {
                add_half_input(chain[c], rows, x + k + c, x_stride, weights);
            }
        }
        for (; k < depth; k++, weights += CM_HALF_LANES) {
            add_half_input(chain[0], rows, x + k, x_stride, weights);
        }
        CM_UNROLL for (int step = 1; step < CM_CHAINS; step *= 2) {
            CM_UNROLL for (int c = 0; c + step < CM_CHAINS; c += 2 * step) {
                CM_UNROLL for (int r = 0; r < rows; r++) chain[c][r] += chain[c + step][r];
            }
        }
        CM_UNROLL for (int r = 0; r < rows; r++) {
            memcpy(y + (size_t)r * y_stride, &chain[0][r], sizeof chain[0][r]);
        }
        x += rows * x_stride;
        y += rows * y_stride;
    }
}

#define CM_HALF_BLOCK(R) \
    static __attribute__((noinline)) void half_block_##R(const part *p) { half_block(p, R); }
CM_HALF_BLOCK(1) CM_HALF_BLOCK(2) CM_HALF_BLOCK(3)
CM_HALF_BLOCK(4) CM_HALF_BLOCK(5) CM_HALF_BLOCK(6)

static const block_function half_blocks[CM_ROWS] = {
    half_block_1, half_block_2, half_block_3, half_block_4, half_block_5, half_block_6,
};
#endif

#if CM_LANES == 4
#define CM_EVEN 0, 2, 4, 6
#define CM_ODD 1, 3, 5, 7
#elif CM_LANES == 8
#define CM_EVEN 0, 2, 8, 10, 4, 6, 12, 14
#define CM_ODD 1, 3, 9, 11, 5, 7, 13, 15
#else
#define CM_EVEN 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30
#define CM_ODD 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31
#endif

// Neighbours added, those of `a` and of `b` in turn, quarter by quarter of 128 bits.
CM_INLINE vf add_neighbours(vf a, vf b) {
    return __builtin_shufflevector(a, b, CM_EVEN) + __builtin_shufflevector(a, b, CM_ODD);
}

typedef float quarter __attribute__((vector_size(16)));

// The sums of the lanes of four vectors, always in the same order.
CM_INLINE quarter four_sums(const vf *v) {
    vf all = add_neighbours(add_neighbours(v[0], v[1]), add_neighbours(v[2], v[3]));
#if CM_LANES == 4
    return all;
#elif CM_LANES == 8
    return __builtin_shufflevector(all, all, 0, 1, 2, 3) +
           __builtin_shufflevector(all, all, 4, 5, 6, 7);
#else
    quarter even = __builtin_shufflevector(all, all, 0, 1, 2, 3) +
                   __builtin_shufflevector(all, all, 8, 9, 10, 11);
    quarter odd = __builtin_shufflevector(all, all, 4, 5, 6, 7) +
                  __builtin_shufflevector(all, all, 12, 13, 14, 15);
    return even + odd;
#endif
}

#define CM_DOT_ROWS 8
#define CM_STRETCH 8  // vectors of a column's weights that stay in registers

// The products of CM_DOT_ROWS rows, or of one, with one column: lane by lane, inputs in order.
CM_INLINE void dot_block(const float *weights, const float *x, size_t x_stride, size_t inputs,
                         const int rows, vf *v) {
    CM_UNROLL for (int r = 0; r < CM_DOT_ROWS; r++) v[r] = (vf){0};
    size_t k = 0;
    // Row after row, as memory has them, with the weights of a stretch in registers.
    for (; k + CM_STRETCH * CM_LANES <= inputs; k += CM_STRETCH * CM_LANES) {
        vf w[CM_STRETCH];
        CM_UNROLL for (int i = 0; i < CM_STRETCH; i++) w[i] = load(weights + k + i * CM_LANES);
        CM_UNROLL for (int r = 0; r < rows; r++) {
            const float *row = x + (size_t)r * x_stride + k;
            CM_UNROLL for (int i = 0; i < CM_STRETCH; i++) {
                v[r] = CM_FMA(load(row + i * CM_LANES), w[i], v[r]);
            }
        }
    }
    for (; k + CM_LANES <= inputs; k += CM_LANES) {
        vf w = load(weights + k);
        CM_UNROLL for (int r = 0; r < rows; r++) {
            v[r] = CM_FMA(load(x + (size_t)r * x_stride + k), w, v[r]);
        }
    }
    if (k < inputs) {
        vf w = load(weights + k);
        CM_UNROLL for (int r = 0; r < rows; r++) {
            v[r] = CM_FMA(load_first(x + (size_t)r * x_stride + k, inputs - k), w, v[r]);
        }
    }
}

static __attribute__((noinline)) float dot_one(const float *weights, const float *x,
                                               size_t inputs) {
    vf v[CM_DOT_ROWS];
    dot_block(weights, x, 0, inputs, 1, v);
    return four_sums(v)[0];
}

// One column of outputs.
static __attribute__((noinline)) void dot_column(const float *weights, float bias, const float *x,
                                                 size_t x_stride, size_t inputs, size_t rows,
                                                 float *y, size_t y_stride) {
    size_t row = 0;
    for (; row + CM_DOT_ROWS <= rows; row += CM_DOT_ROWS, x += CM_DOT_ROWS * x_stride) {
        vf v[CM_DOT_ROWS];
        dot_block(weights, x, x_stride, inputs, CM_DOT_ROWS, v);
        CM_UNROLL for (int r = 0; r < CM_DOT_ROWS; r += 4) {
            quarter sums = four_sums(v + r) + bias;
            if (y_stride == 1) {
                memcpy(y + row + r, &sums, sizeof sums);
            } else {
                CM_UNROLL for (int i = 0; i < 4; i++) y[(row + r + i) * y_stride] = sums[i];
            }
        }
    }
    for (; row < rows; row++, x += x_stride) {
        y[row * y_stride] = dot_one(weights, x, inputs) + bias;
    }
}

// Columns one by one.
static void dots(const float *weights, const float *bias, size_t columns, size_t inputs,
                 const float *x, size_t x_stride, size_t rows, float *y, size_t y_stride) {
    const size_t column_size = (inputs + CM_LANES - 1) / CM_LANES * CM_LANES;
    // Rows that several columns read stay in L1 meanwhile.
    const size_t group = columns == 1 ? rows : CM_DOT_ROWS;
    for (size_t row = 0; row < rows; row += group) {
        const size_t count = rows - row < group ? rows - row : group;
        for (size_t column = 0; column < columns; column++) {
            dot_column(weights + column * column_size, bias[column], x + row * x_stride, x_stride,
                       inputs, count, y + row * y_stride + column, y_stride);
        }
    }
}

// y = activation(y) for some columns, with nothing touched behind them.
static __attribute__((noinline)) void transform_columns(int32_t activation, float *y,
                                                        size_t y_stride, size_t rows,
                                                        size_t columns) {
    const int dense_column = columns == 1 && y_stride == 1;
    const size_t length = dense_column ? rows : columns;
    for (size_t row = 0; row < (dense_column ? 1 : rows); row++, y += y_stride) {
        for (size_t i = 0; i < length; i += CM_LANES) {
            size_t n = up_to_lanes(length - i);
            store_first(y + i, apply(activation, load_first(y + i, n)), n);
        }
    }
}

// y[rows, outputs] = activation(x[rows, inputs] * weights + bias). Rows of y must have room for what
// panels fill up: whole vectors, or half of one.
static void dense(const cm_layer *layer, const float *x, size_t x_stride, size_t rows, float *y,
                  size_t y_stride) {
    const cm_columns columns = divide_columns(layer->outputs);
    const size_t inputs = layer->inputs;
    const float *weights = layer->weights, *bias = layer->bias;
    if (columns.paneled) {
        cm_layer paneled = *layer;
        paneled.outputs = columns.paneled;
        panels(&paneled, x, x_stride, 1, rows, y, y_stride, NULL, 0);
    }
    if (columns.paneled == layer->outputs) return;
    weights += columns.paneled * inputs;
    bias += columns.paneled;
    y += columns.paneled;
#if CM_HALVES
    if (columns.half) {
        part p = {.weights = weights, .x = x, .x_stride = x_stride, .depth = inputs, .y = y,
                  .y_stride = y_stride, .bias = bias};
        run_blocks(half_blocks, &p, rows);
        weights += CM_HALF_LANES * inputs;
    }
#endif
    dots(weights, bias + columns.half, columns.single, inputs, x, x_stride, rows, y + columns.half,
         y_stride);
    if (layer->activation == CM_IDENTITY) return;
    transform_columns(layer->activation, y, y_stride, rows, columns.half + columns.single);
}
