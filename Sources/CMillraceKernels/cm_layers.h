// Dense layers: panels of columns in a register block, and dot products for a few outputs.
// Written once for every set; see cm_body.h.

#define CM_ROWS 6
#define CM_DOT_ROWS 8
#define CM_STRETCH 8  // vectors of a column's weights that stay in registers

// y = activation(y) for whole vectors: room for the padded columns is there.
static void transform(int32_t activation, float *y, size_t y_stride, size_t rows, size_t columns) {
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
} part;

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

// Register blocks one below the other: the sums of each output run over the inputs in order, in
// one accumulator, beginning with the bias. In a panel of one vector, which would wait for it, they
// run in CM_CHAINS of them in turn, the last few inputs in the first, and are added up pairwise.
CM_INLINE void block(const part *p, const int rows, const int vectors, const int panels) {
    const int chains = vectors == 1 ? CM_CHAINS : 1;
    const size_t panel_size = p->panel_size, depth = p->depth;
    const size_t x_stride = p->x_stride, x_step = p->x_step, y_stride = p->y_stride;
    const float *x = p->x, *bias = p->bias;
    float *y = p->y;
    for (size_t count = p->blocks; count > 0; count--) {
        vf chain[CM_CHAINS][CM_ROWS][CM_VECTORS * CM_WIDE] = {{{{0}}}};
        vf(*sums)[CM_VECTORS * CM_WIDE] = chain[0];
        CM_UNROLL for (int r = 0; r < rows; r++) {
            CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                const float *from = bias ? bias : y + (size_t)r * y_stride;
                sums[r][v] = load(from + v * CM_LANES);
            }
        }
        const float *weights = p->weights, *row[CM_ROWS];
        CM_UNROLL for (int r = 0; r < rows; r++) row[r] = x + (size_t)r * x_stride;
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

// The rows of one panel (or of several, when there are one or two rows), block by block. Long sums
// are cut, so that the panel's part stays in L1; what is summed so far waits in y.
static void panel_product(const cm_layer *layer, part p, size_t rows, size_t vectors,
                          size_t panels) {
    const size_t width = vectors * CM_LANES;
    const int32_t activation = layer->activation;
    const size_t count = (rows + CM_ROWS - 1) / CM_ROWS;
    for (size_t from = 0; from < layer->inputs; from += CM_DEPTH) {
        part q = p;
        const int last = layer->inputs - from <= CM_DEPTH;
        q.depth = last ? layer->inputs - from : CM_DEPTH;
        q.weights = p.weights + from * width;
        q.bias = from == 0 ? p.bias : NULL;
        q.activation = last ? activation : CM_IDENTITY;
        // As even as can be: a block of one or two rows would be as slow as one of four.
        for (size_t i = 0, row = 0; i < 2; i++) {
            const size_t height = rows / count + (i == 0 ? 1 : 0);
            q.blocks = i == 0 ? rows % count : count - rows % count;
            if (q.blocks == 0) continue;
            q.x = p.x + row * p.x_stride + from * p.x_step;
            q.y = p.y + row * p.y_stride;
            if (panels == 1) {
                blocks[vectors - 1][height - 1](&q);
            } else if (rows == 1) {
                wide_block_1(&q);
            } else {
                wide_block_2(&q);
            }
            row += height * q.blocks;
        }
        if (last && activation >= CM_TANH) {
            transform(activation, p.y, p.y_stride, rows, panels * width);
        }
    }
}

static void panels(const cm_layer *layer, const float *x, size_t x_stride, size_t x_step,
                   size_t rows, float *y, size_t y_stride) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < layer->outputs;) {
        size_t left = layer->outputs - column;
        size_t vectors = (left + CM_LANES - 1) / CM_LANES;
        if (vectors > CM_VECTORS) vectors = CM_VECTORS;
        size_t together = panels_at_a_time(rows, left);
        part p = {.weights = layer->weights + column * layer->inputs, .x = x,
                  .x_stride = x_stride, .x_step = x_step, .panel_size = panel * layer->inputs,
                  .y = y + column, .y_stride = y_stride, .bias = layer->bias + column};
        panel_product(layer, p, rows, vectors, together);
        column += together * panel;
    }
}

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

static void dots(const cm_layer *layer, const float *x, size_t x_stride, size_t rows, float *y,
                 size_t y_stride) {
    const size_t column_size = (layer->inputs + CM_LANES - 1) / CM_LANES * CM_LANES;
    // Rows that several columns read stay in L1 meanwhile.
    const size_t group = layer->outputs == 1 ? rows : CM_DOT_ROWS;
    for (size_t row = 0; row < rows; row += group) {
        const size_t count = rows - row < group ? rows - row : group;
        for (size_t column = 0; column < layer->outputs; column++) {
            dot_column(layer->weights + column * column_size, layer->bias[column],
                       x + row * x_stride, x_stride, layer->inputs, count,
                       y + row * y_stride + column, y_stride);
        }
    }
    if (layer->activation == CM_IDENTITY) return;
    const int dense_column = layer->outputs == 1 && y_stride == 1;
    const size_t length = dense_column ? rows : layer->outputs;
    for (size_t row = 0; row < (dense_column ? 1 : rows); row++, y += y_stride) {
        for (size_t i = 0; i < length; i += CM_LANES) {
            size_t n = up_to_lanes(length - i);
            store_first(y + i, apply(layer->activation, load_first(y + i, n)), n);
        }
    }
}

static void dense(const cm_layer *layer, const float *x, size_t x_stride, size_t rows, float *y,
                  size_t y_stride) {
    if (layer->outputs <= CM_FEW_OUTPUTS) {
        dots(layer, x, x_stride, rows, y, y_stride);
    } else {
        panels(layer, x, x_stride, 1, rows, y, y_stride);
    }
}
