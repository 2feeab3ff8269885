// Dense layers by panels of columns, each in a register block. Written once for every set; see
// cm_body.h.

#define CM_ROWS 6
#define CM_LOW_ROWS 2  // of a register block that has no slopes and asks for nothing

// y = activation(y) for whole vectors: room for the padded columns is there.
//
// Not inline, as others that few networks need: who calls them would get their constants ready in
// any case, which takes longer than the call.
static __attribute__((noinline)) void transform(int32_t activation, float *y, size_t y_stride,
                                                size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++, y += y_stride) {
        for (size_t i = 0; i < columns; i += CM_LANES) {
            store(y + i, apply(activation, load(y + i)));
        }
    }
}

// A part of a layer's product: `depth` inputs for some rows and `vectors` vectors of columns, of
// `panels` panels that are `panel_size` floats apart.
typedef struct {
    const float *weights;
    const float *x;
    size_t x_stride;  // from row to row
    size_t x_step;    // from input to input
    size_t depth;
    size_t panel_size;
    float *y;
    size_t y_stride;
    const float *bias;   // what sums begin with; null where they go on from y
    int32_t activation;  // of those that need no polynomial
    size_t blocks;       // register blocks one below the other
    const cm_product *slopes_of;  // whose slopes, of a rectifier, are multiplied; null for none
    int asks;                     // whether rows come from memory, element by element
} part;

// Multiplies a register block's sums by the slopes of their product, and adds what comes of it to their
// columns' totals.
CM_INLINE void multiply_slopes(vf sums[CM_ROWS][CM_VECTORS * CM_WIDE], const int rows,
                               const int vectors, const cm_product *of, const int32_t function,
                               const float *y) {
    const size_t at = (size_t)(y - of->c);
    const float *values = of->slopes.values + at;
    float *totals = of->slopes.totals + at % of->columns;
    CM_UNROLL for (int v = 0; v < vectors; v++) {
        vf total = load(totals + v * CM_LANES);
        CM_UNROLL for (int r = 0; r < rows; r++) {
            vf value = load(values + (size_t)r * of->columns + v * CM_LANES);
            sums[r][v] = times_derivative(function, sums[r][v], value, value);
            total = total + sums[r][v];
        }
        store(totals + v * CM_LANES, total);
    }
}

// One input of a register block: `weights` are those of one panel, and of others behind it.
CM_INLINE void add_input(vf sums[CM_ROWS][CM_VECTORS * CM_WIDE], const int rows, const int vectors,
                         const int panels, const float *const *row, size_t at,
                         const float *weights, size_t panel_size) {
    vf w[CM_VECTORS * CM_WIDE];
    CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
        w[v] = load(weights + v / vectors * panel_size + v % vectors * CM_LANES);
    }
    CM_UNROLL for (int r = 0; r < rows; r++) {
        vf input = splat(row[r][at]);
        CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
            sums[r][v] = CM_FMA(input, w[v], sums[r][v]);
        }
    }
}

// Asks for rows that come from memory while those before them are multiplied.
CM_INLINE void ask_for_rows(const float *x, const int rows, size_t stride, size_t depth) {
    for (size_t at = 0; at < depth; at += 16) {
        CM_UNROLL for (int r = 0; r < rows; r++) {
            __builtin_prefetch(x + (size_t)r * stride + at, 0, 2);
        }
    }
}

// Register blocks one below the other: the sums of each output run over the inputs in order, in
// one accumulator, beginning with the bias. In a panel of one vector, which would wait for it, they
// run in CM_CHAINS of them in turn, the last few inputs in the first, and are added up pairwise.
CM_INLINE void block(const part *p, const int rows, const int vectors, const int panels) {
    const int chains = vectors == 1 ? CM_CHAINS : 1;
    const size_t panel_size = p->panel_size, depth = p->depth;
    const size_t x_stride = p->x_stride, x_step = p->x_step, y_stride = p->y_stride;
    const float *x = p->x, *bias = p->bias;
    float *y = p->y;
    const cm_product *slopes_of = p->slopes_of;
    const int asks = p->asks;
    // One or two rows are predicted in less time than what they have no use for would take.
    const int is_high = rows > CM_LOW_ROWS;
    for (size_t count = p->blocks; count > 0; count--) {
        vf chain[CM_CHAINS][CM_ROWS][CM_VECTORS * CM_WIDE] = {{{{0}}}};
        vf(*sums)[CM_VECTORS * CM_WIDE] = chain[0];
        if (bias) {
            CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                const vf start = load(bias + v * CM_LANES);
                CM_UNROLL for (int r = 0; r < rows; r++) sums[r][v] = start;
            }
        } else {
            CM_UNROLL for (int r = 0; r < rows; r++) {
                CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                    sums[r][v] = load(y + (size_t)r * y_stride + v * CM_LANES);
                }
            }
        }
        const float *weights = p->weights, *row[CM_ROWS];
        CM_UNROLL for (int r = 0; r < rows; r++) row[r] = x + (size_t)r * x_stride;
        if (is_high && asks && count > 1) ask_for_rows(x + rows * x_stride, rows, x_stride, depth);
        size_t at = 0, k = 0;
        CM_UNROLL_DEPTH for (; k + chains <= depth; k += chains) {
            CM_UNROLL for (int c = 0; c < chains; c++, at += x_step) {
                add_input(chain[c], rows, vectors, panels, row, at, weights, panel_size);
                weights += vectors * CM_LANES;
            }
        }
        for (; chains > 1 && k < depth; k++, at += x_step) {
            add_input(sums, rows, vectors, panels, row, at, weights, panel_size);
            weights += vectors * CM_LANES;
        }
        CM_UNROLL for (int step = 1; step < chains; step *= 2) {
            CM_UNROLL for (int c = 0; c + step < chains; c += 2 * step) {
                CM_UNROLL for (int r = 0; r < rows; r++) chain[c][r][0] += chain[c + step][r][0];
            }
        }
        if (p->activation == CM_RELU) {
            CM_UNROLL for (int r = 0; r < rows; r++) {
                CM_UNROLL for (int v = 0; v < vectors * panels; v++) sums[r][v] = vrelu(sums[r][v]);
            }
        } else if (p->activation == CM_LEAKY_RELU) {
            CM_UNROLL for (int r = 0; r < rows; r++) {
                CM_UNROLL for (int v = 0; v < vectors * panels; v++) sums[r][v] = vleaky(sums[r][v]);
            }
        } else if (is_high && slopes_of && slopes_of->slopes.function == CM_RELU) {
            multiply_slopes(sums, rows, vectors * panels, slopes_of, CM_RELU, y);
        } else if (is_high && slopes_of) {
            multiply_slopes(sums, rows, vectors * panels, slopes_of, CM_LEAKY_RELU, y);
        }
        CM_UNROLL for (int r = 0; r < rows; r++) {
            CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                store(y + (size_t)r * y_stride + v * CM_LANES, sums[r][v]);
            }
        }
        x += rows * x_stride;
        y += rows * y_stride;
    }
}

// A function for each shape: in one of all shapes accumulators would not stay in registers.
#define CM_BLOCK(R, V, P) \
    static __attribute__((noinline)) void block_##R##_##V##_##P(const part *p) { block(p, R, V, P); }
#define CM_BLOCKS(V)                                                           \
    CM_BLOCK(1, V, 1) CM_BLOCK(2, V, 1) CM_BLOCK(3, V, 1) CM_BLOCK(4, V, 1)    \
    CM_BLOCK(5, V, 1) CM_BLOCK(6, V, 1)
#define CM_NAMES(V) \
    {block_1_##V##_1, block_2_##V##_1, block_3_##V##_1, block_4_##V##_1, block_5_##V##_1, \
     block_6_##V##_1}

CM_BLOCKS(1)
CM_BLOCKS(2)
#if CM_VECTORS > 2
CM_BLOCKS(3)
CM_BLOCKS(4)
#endif

typedef void (*block_function)(const part *p);

static const block_function blocks[CM_VECTORS][CM_ROWS] = {
    CM_NAMES(1),
    CM_NAMES(2),
#if CM_VECTORS > 2
    CM_NAMES(3),
    CM_NAMES(4),
#endif
};

// For one or two rows a panel has too few sums to keep the multipliers busy: several at a time.
static __attribute__((noinline)) void wide_block_1(const part *p) {
    block(p, 1, CM_VECTORS, CM_WIDE);
}

static __attribute__((noinline)) void wide_block_2(const part *p) {
    block(p, 2, CM_VECTORS, CM_WIDE / 2);
}

static size_t panels_at_a_time(size_t rows, size_t columns) {
    const size_t panel = CM_LANES * CM_VECTORS;
    size_t panels = rows == 1 ? CM_WIDE : rows == 2 ? CM_WIDE / 2 : 1;
    return columns >= panels * panel ? panels : 1;
}

// Rows by blocks of one kind, as even as can be: one of one or two rows would be as slow as one of
// four. A part is changed where it stands: a copy of one is a wide read of what was written in pieces
// a moment ago, which with few rows is what they wait for.
static void run_blocks(const block_function *of_rows, part *p, size_t rows) {
    if (rows <= CM_ROWS) {
        p->blocks = 1;
        return of_rows[rows - 1](p);
    }
    const size_t count = (rows + CM_ROWS - 1) / CM_ROWS;
    for (size_t i = 0; i < 2; i++) {
        const size_t height = rows / count + (i == 0 ? 1 : 0);
        p->blocks = i == 0 ? rows % count : count - rows % count;
        if (p->blocks == 0) continue;
        of_rows[height - 1](p);
        p->x += height * p->blocks * p->x_stride;
        p->y += height * p->blocks * p->y_stride;
    }
}

// The rows of one panel (or of several, when there are one or two rows), block by block. Long sums
// are cut, so that the panel's part stays in L1; what is summed so far waits in y.
static void panel_product(const cm_layer *layer, part *p, size_t rows, size_t vectors,
                          size_t panels) {
    const size_t width = vectors * CM_LANES, inputs = layer->inputs;
    const int32_t activation = layer->activation;
    const float *weights = p->weights, *x = p->x, *bias = p->bias;
    float *y = p->y;
    const cm_product *slopes_of = p->slopes_of;
    for (size_t from = 0; from < inputs; from += CM_DEPTH) {
        const int last = inputs - from <= CM_DEPTH;
        p->depth = last ? inputs - from : CM_DEPTH;
        p->weights = weights + from * width;
        p->x = x + from * p->x_step;
        p->y = y;
        p->bias = from == 0 ? bias : NULL;
        p->activation = last ? activation : CM_IDENTITY;
        p->slopes_of = last ? slopes_of : NULL;
        if (panels == 1) {
            run_blocks(blocks[vectors - 1], p, rows);
        } else {
            p->blocks = 1;
            (rows == 1 ? wide_block_1 : wide_block_2)(p);
        }
    }
    if (activation >= CM_TANH) transform(activation, y, p->y_stride, rows, panels * width);
}

static void panels(const cm_layer *layer, const float *x, size_t x_stride, size_t x_step,
                   size_t rows, float *y, size_t y_stride,
                   const cm_product *slopes_of, int asks) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < layer->outputs;) {
        size_t left = layer->outputs - column;
        size_t vectors = (left + CM_LANES - 1) / CM_LANES;
        if (vectors > CM_VECTORS) vectors = CM_VECTORS;
        size_t together = panels_at_a_time(rows, left);
        part p = {.weights = layer->weights + column * layer->inputs, .x = x,
                  .x_stride = x_stride, .x_step = x_step, .panel_size = panel * layer->inputs,
                  .y = y + column, .y_stride = y_stride, .bias = layer->bias + column,
                  .slopes_of = slopes_of, .asks = asks && column == 0};
        panel_product(layer, &p, rows, vectors, together);
        column += together * panel;
    }
}
