// Matrix products of training, by the register blocks of dense layers. Written once for every set;
// see cm_body.h.

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

// The same of b[columns, depth].
static void pack_columns_of_b(const cm_product *p, float *to) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < p->columns; column += panel) {
        const size_t left = p->columns - column < panel ? p->columns - column : panel;
        const size_t width = (left + CM_LANES - 1) / CM_LANES * CM_LANES;
        const float *from = p->b + column * p->b_stride;
        for (size_t k = 0; k < p->depth; k++, to += width) {
            for (size_t i = 0; i < left; i++) to[i] = from[i * p->b_stride + k];
            for (size_t i = left; i < width; i++) to[i] = 0;
        }
    }
}

static void product(const cm_product *p, float *scratch) {
    const size_t panel = CM_LANES * CM_VECTORS;
    const size_t main = p->columns / panel * panel;
    const size_t rest = p->columns - main;
    const size_t padded = (rest + CM_LANES - 1) / CM_LANES * CM_LANES;
    float *bias = scratch, *packed = bias + main + padded;
    float *tail = packed + p->depth * (main + padded);
    memset(bias, 0, (main + padded) * sizeof(float));
    if (p->bias) memcpy(bias, p->bias, p->columns * sizeof(float));
    if (p->b_transposed) {
        pack_columns_of_b(p, packed);
    } else {
        pack_rows_of_b(p, packed);
    }
    cm_layer layer = {.weights = packed, .bias = bias, .inputs = p->depth, .outputs = main,
                      .activation = p->activation};
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
        memcpy(p->c + row * p->c_stride + main, tail + row * padded, rest * sizeof(float));
    }
}

static size_t product_scratch(size_t rows, size_t columns, size_t depth) {
    const size_t panel = CM_LANES * CM_VECTORS;
    const size_t padded = (columns + CM_LANES - 1) / CM_LANES * CM_LANES;
    return padded * (depth + 1) + rows * panel;
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
