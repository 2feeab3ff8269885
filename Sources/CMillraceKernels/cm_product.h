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

// The same of b[columns, depth], put crosswise.
static void pack_columns_of_b(const cm_product *p, float *to) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < p->columns; column += panel) {
        const size_t left = p->columns - column < panel ? p->columns - column : panel;
        const size_t width = whole_vectors(left);
        turn(p->b + column * p->b_stride, p->b_stride, left, p->depth, to, width);
        for (size_t k = 0; k < p->depth; k++, to += width) {
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

// Whether the columns behind the last whole vector are had without filling one up: by half a vector
// that is full, and one by one.
CM_INLINE int are_few(const cm_product *p, size_t columns) {
    const cm_columns few = divide_columns(columns);
    return columns > 0 && p->a_step == 1 && !p->b_transposed && few.paneled == 0 &&
           (few.half == 0 || few.single > 0 || few.half * 2 == CM_LANES);
}

// These columns of b[depth, columns], from the first of them on, as `dense` reads them.
static void pack_few(const cm_product *p, size_t first, float *to) {
    const cm_columns few = divide_columns(p->columns - first);
    const float *from = p->b + first;
    for (size_t k = 0; k < p->depth; k++, to += few.half) {
        memcpy(to, from + k * p->b_stride, few.half * sizeof(float));
    }
    for (size_t i = 0; i < few.single; i++, to += whole_vectors(p->depth)) {
        turn_one(from + few.half + i, p->b_stride, p->depth, 1, to, p->depth);
        memset(to + p->depth, 0, (whole_vectors(p->depth) - p->depth) * sizeof(float));
    }
}

// `slopes_of` is `p`, where slopes are multiplied on the way, or null.
static void multiply(const cm_product *p, const cm_product *slopes_of, float *scratch) {
    const int asks = p->a_in_memory && p->a_step == 1;
    const size_t panel = CM_LANES * CM_VECTORS;
    const size_t main = p->columns / panel * panel;
    const size_t rest = p->columns - main;
    const size_t padded = whole_vectors(rest);
    float *bias = scratch, *packed = bias + main + padded;
    float *tail = packed + p->depth * (main + padded);
    memset(bias, 0, (main + padded) * sizeof(float));
    if (p->bias) memcpy(bias, p->bias, p->columns * sizeof(float));
    const int has_few = rest < CM_LANES && are_few(p, rest);
    // Rows of one whole panel are packed as they are.
    const int is_packed = !p->b_transposed && is_panel(p->columns, p->b_stride);
    if (p->b_transposed) {
        pack_columns_of_b(p, packed);
    } else if (!is_packed && !(has_few && main == 0)) {
        pack_rows_of_b(p, packed);
    }
    cm_layer layer = {.weights = is_packed ? p->b : packed, .bias = bias, .inputs = p->depth,
                      .outputs = main, .activation = p->activation};
    panels(&layer, p->a, p->a_row, p->a_step, p->rows, p->c, p->c_stride, slopes_of, asks);
    if (rest == 0) return;
    layer.weights += main * p->depth;
    layer.bias += main;
    layer.outputs = rest;
    if (rest == padded) {
        return panels(&layer, p->a, p->a_row, p->a_step, p->rows, p->c + main, p->c_stride,
                      slopes_of, asks && main == 0);
    }
    if (has_few) {
        pack_few(p, main, packed);
        layer.weights = packed;
        return dense(&layer, p->a, p->a_row, p->rows, p->c + main, p->c_stride);
    }
    panels(&layer, p->a, p->a_row, p->a_step, p->rows, tail, padded, NULL, asks && main == 0);
    for (size_t row = 0; row < p->rows; row++) {
        const float *from = tail + row * padded;
        float *to = p->c + row * p->c_stride + main;
        for (size_t i = 0; i < rest; i += CM_LANES) {
            store_first(to + i, load(from + i), up_to_lanes(rest - i));
        }
    }
}

// A product whose elements are slopes, those of rectifiers multiplied while they are in registers.
static void multiply_to_slopes(const cm_product *p, float *scratch) {
    const cm_slopes by = p->slopes;
    const int is_rectifier = by.function == CM_RELU || by.function == CM_LEAKY_RELU;
    if (is_rectifier && p->rows > CM_LOW_ROWS && p->columns % CM_LANES == 0) {
        memset(by.totals, 0, p->columns * sizeof(float));
        return multiply(p, p, scratch);
    }
    multiply(p, NULL, scratch);
    differentiate(by.function, by.z, by.values, p->c, p->rows, p->columns, by.totals);
}

static void product(const cm_product *p, float *scratch) {
    if (p->slopes.values) return multiply_to_slopes(p, scratch);
    if (!is_crosswise(p)) return multiply(p, NULL, scratch);
    const cm_product crosswise = {.rows = p->columns, .columns = p->rows, .depth = p->depth,
                                  .a = p->b, .a_row = 1, .a_step = p->b_stride, .b = p->a,
                                  .b_stride = p->a_step, .c = scratch, .c_stride = p->rows,
                                  .activation = CM_IDENTITY};
    multiply(&crosswise, NULL, scratch + p->rows * p->columns);
    turn(scratch, p->rows, p->columns, p->rows, p->c, p->c_stride);
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
