// Matrix products of training, by the register blocks of dense layers. Written once for every set;
// see cm_body.h.

CM_INLINE size_t whole_vectors(size_t count) {
    return (count + CM_LANES - 1) / CM_LANES * CM_LANES;
}

// Columns of b[depth, columns] as panels of whole vectors, the last one filled up with zeros.
static void pack_rows_of_b(const cm_product *p, float *to) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < p->columns; column += panel) {
        const size_t left = p->columns - column < panel ? p->columns - column : panel;
        const float *from = p->b + column;
        for (size_t k = 0; k < p->depth; k++, from += p->b_stride) {
            for (size_t i = 0; i < left; i += CM_LANES, to += CM_LANES) {
                store(to, load_first(from + i, up_to_lanes(left - i)));
            }
        }
    }
}

// Four places of four columns, each column a row as it is stored, put crosswise.
CM_INLINE void turn_four(const float *from, size_t stride, float *to, size_t width) {
    quarter rows[4];
    CM_UNROLL for (int i = 0; i < 4; i++) memcpy(rows + i, from + (size_t)i * stride, 16);
    quarter a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    quarter b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    quarter c = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    quarter d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    const quarter turned[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5),
                               __builtin_shufflevector(a, b, 2, 3, 6, 7),
                               __builtin_shufflevector(c, d, 0, 1, 4, 5),
                               __builtin_shufflevector(c, d, 2, 3, 6, 7)};
    CM_UNROLL for (int i = 0; i < 4; i++) memcpy(to + (size_t)i * width, turned + i, 16);
}

// to[columns, rows] = from[rows, columns], crosswise.
static void turn(const float *from, size_t rows, size_t columns, float *to, size_t to_stride) {
    const size_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (size_t row = 0; row < whole_rows; row += 4) {
        for (size_t i = 0; i < whole_columns; i += 4) {
            turn_four(from + row * columns + i, columns, to + i * to_stride + row, to_stride);
        }
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row < whole_rows ? whole_columns : 0; i < columns; i++) {
            to[i * to_stride + row] = from[row * columns + i];
        }
    }
}

// The same of b[columns, depth].
static void pack_columns_of_b(const cm_product *p, float *to) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < p->columns; column += panel) {
        const size_t left = p->columns - column < panel ? p->columns - column : panel;
        const size_t width = whole_vectors(left);
        const float *from = p->b + column * p->b_stride;
        size_t k = 0;
        for (; k + 4 <= p->depth; k += 4, to += 4 * width) {
            size_t i = 0;
            for (; i + 4 <= left; i += 4) {
                turn_four(from + i * p->b_stride + k, p->b_stride, to + i, width);
            }
            for (; i < width; i++) {
                CM_UNROLL for (size_t j = 0; j < 4; j++) {
                    to[j * width + i] = i < left ? from[i * p->b_stride + k + j] : 0;
                }
            }
        }
        for (; k < p->depth; k++, to += width) {
            for (size_t i = 0; i < left; i++) to[i] = from[i * p->b_stride + k];
            for (size_t i = left; i < width; i++) to[i] = 0;
        }
    }
}

// Whether rows of so many columns, so far from each other, are one whole panel as they are.
CM_INLINE int is_panel(size_t columns, size_t stride) {
    return columns == CM_LANES * CM_VECTORS && stride == columns;
}

// Whether both factors have their depth from row to row and the product is had sooner crosswise: with
// less of the panels left empty, or none to pack.
CM_INLINE int is_crosswise(const cm_product *p) {
    if (p->a_row != 1 || p->b_transposed || p->bias || p->activation != CM_IDENTITY) return 0;
    const size_t crosswise = p->columns * whole_vectors(p->rows);
    const size_t plain = p->rows * whole_vectors(p->columns);
    return crosswise < plain || (crosswise == plain && is_panel(p->rows, p->a_step) &&
                                 !is_panel(p->columns, p->b_stride));
}

static void multiply(const cm_product *p, float *scratch) {
    const size_t panel = CM_LANES * CM_VECTORS;
    const size_t main = p->columns / panel * panel;
    const size_t rest = p->columns - main;
    const size_t padded = whole_vectors(rest);
    float *bias = scratch, *packed = bias + main + padded;
    float *tail = packed + p->depth * (main + padded);
    memset(bias, 0, (main + padded) * sizeof(float));
    if (p->bias) memcpy(bias, p->bias, p->columns * sizeof(float));
    // Rows of one whole panel are packed as they are.
    const int is_packed = !p->b_transposed && is_panel(p->columns, p->b_stride);
    if (p->b_transposed) {
        pack_columns_of_b(p, packed);
    } else if (!is_packed) {
        pack_rows_of_b(p, packed);
    }
    cm_layer layer = {.weights = is_packed ? p->b : packed, .bias = bias, .inputs = p->depth,
                      .outputs = main, .activation = p->activation};
    panels(&layer, p->a, p->a_row, p->a_step, p->rows, p->c, p->c_stride);
    if (rest == 0) return;
    layer.weights += main * p->depth;
    layer.bias += main;
    layer.outputs = rest;
    if (rest == padded) {
        return panels(&layer, p->a, p->a_row, p->a_step, p->rows, p->c + main, p->c_stride);
    }
    panels(&layer, p->a, p->a_row, p->a_step, p->rows, tail, padded);
    for (size_t row = 0; row < p->rows; row++) {
        const float *from = tail + row * padded;
        float *to = p->c + row * p->c_stride + main;
        for (size_t i = 0; i < rest; i += CM_LANES) {
            store_first(to + i, load(from + i), up_to_lanes(rest - i));
        }
    }
}

static void product(const cm_product *p, float *scratch) {
    if (!is_crosswise(p)) return multiply(p, scratch);
    const cm_product crosswise = {.rows = p->columns, .columns = p->rows, .depth = p->depth,
                                  .a = p->b, .a_row = 1, .a_step = p->b_stride, .b = p->a,
                                  .b_stride = p->a_step, .c = scratch, .c_stride = p->rows,
                                  .activation = CM_IDENTITY};
    multiply(&crosswise, scratch + p->rows * p->columns);
    turn(scratch, p->columns, p->rows, p->c, p->c_stride);
}

CM_INLINE size_t multiply_scratch(size_t rows, size_t columns, size_t depth) {
    return whole_vectors(columns) * (depth + 1) + rows * CM_LANES * CM_VECTORS;
}

static size_t product_scratch(size_t rows, size_t columns, size_t depth) {
    const size_t plain = multiply_scratch(rows, columns, depth);
    const size_t crosswise = rows * columns + multiply_scratch(columns, rows, depth);
    return plain > crosswise ? plain : crosswise;
}

// y[columns] = the sums of the columns of x[rows, columns], rows from first to last.
static void column_sums(const float *x, size_t rows, size_t columns, float *y) {
    for (size_t i = 0; i < columns; i += CM_LANES) {
        const size_t n = up_to_lanes(columns - i);
        const float *from = x + i;
        vf sum = {0};
        if (n == CM_LANES) {
            for (size_t row = 0; row < rows; row++, from += columns) sum = sum + load(from);
        } else {
            for (size_t row = 0; row < rows; row++, from += columns) {
                sum = sum + load_first(from, n);
            }
        }
        store_first(y + i, sum, n);
    }
}
