// What a batch is taken from and what is counted in it, whatever goes on between: shared by all
// that take rows through a network. Written once over vectors; see cm_body.h and cm_tile_layers.h.

// A tile on its way: the rows that one layer reads and the next one reads in turn.
typedef struct {
    const float *rows;
    size_t stride;
    float *memory[2];
    uint32_t missing[CM_TILE_ROWS_MAX];
} tile;

CM_INLINE const char *source_row(const cm_matrix *source, size_t row) {
    return (const char *)source->cells + row * source->stride;
}

// The features of one row as float32: where they are, or widened and selected in `wide` and `row`.
CM_INLINE const float *raw_row(const cm_network *network, const cm_matrix *source, size_t index,
                               float *row) {
    const char *cells = source_row(source, index);
    const uint32_t *columns = network->select;
    float *wide = columns ? row + network->input.width : row;
    if (source->type != CM_FLOAT32) {
        network->widen(source->type, cells, wide, network->row_width, source->scale,
                       source->zero_point);
        cells = (const char *)wide;
    }
    if (!columns) return (const float *)cells;
    for (size_t i = 0; i < network->input.width; i++) {
        memcpy(row + i, cells + columns[i] * sizeof(float), sizeof(float));
    }
    return row;
}

CM_INLINE int has_bytes(const cm_matrix *source) {
    return source->type == CM_UINT8 || source->type == CM_INT8;
}

// Narrow rows that the first layer takes as they are: all at once where there are no gaps.
static void widen_rows(const cm_network *network, const cm_matrix *source, size_t first,
                       size_t rows, float *target) {
    const size_t width = network->row_width;
    const size_t bytes = has_bytes(source) ? 1 : 2;
    const int dense = source->stride == width * bytes && network->input_stride == width;
    const size_t calls = dense ? 1 : rows;
    const size_t count = dense ? rows * width : width;
    for (size_t i = 0; i < calls; i++, target += network->input_stride) {
        network->widen(source->type, source_row(source, first + i), target, count, source->scale,
                       source->zero_point);
    }
}

// The rows of a tile as the first layer takes them.
static void take_rows(const cm_network *network, const cm_matrix *source, size_t first,
                      size_t rows, tile *t) {
    if (network->plain && source->type == CM_FLOAT32 && !network->multiply) {
        t->rows = (const float *)source_row(source, first);
        t->stride = source->stride / sizeof(float);
        return;
    }
    float *target = t->memory[0];
    float *row = t->memory[1];
    t->rows = target;
    t->stride = network->input_stride;
    if (network->plain && source->type != CM_FLOAT32 && !network->multiply) {
        widen_rows(network, source, first, rows, target);
        return;
    }
    for (size_t i = 0; i < rows; i++, target += t->stride) {
        const float *raw = raw_row(network, source, first + i, row);
        t->missing[i] = condition_row(&network->input, raw, target);
    }
    if (network->norm != CM_NORM_NONE) {
        normalise(network->norm, t->memory[0], t->stride, rows, network->input.width);
    }
}

// The part of a head that looks at a whole row.
CM_INLINE void apply_head(const cm_network *network, size_t rows, float *y) {
    const size_t columns = network->outputs;
    if (network->head == CM_HEAD_SOFTMAX) softmax(y, columns, rows, columns);
    if (network->head == CM_HEAD_SHARES) normalise(CM_NORM_L1, y, columns, rows, columns);
}

// Rows are looked at one by one only where one of them is to be found.
static size_t rows_not_finite(const float *y, size_t rows, size_t columns) {
    if (!has_not_finite(y, rows * columns)) return 0;
    size_t found = 0;
    for (size_t row = 0; row < rows; row++, y += columns) {
        found += (size_t)has_not_finite(y, columns);
    }
    return found;
}

static void count_tile(const cm_network *network, const tile *t, size_t rows, float *y,
                       cm_counts *counts) {
    const size_t columns = network->outputs;
    size_t rejected = 0;
    if (network->input.missing == CM_IMPUTE) {
        for (size_t row = 0; row < rows; row++) counts->missing += t->missing[row];
    }
    if (network->input.missing == CM_REJECT) {
        for (size_t row = 0; row < rows; row++) {
            if (t->missing[row] == 0) continue;
            rejected++;
            for (size_t i = 0; i < columns; i++) y[row * columns + i] = __builtin_nanf("");
        }
    }
    counts->rejected += rejected;
    counts->not_finite += rows_not_finite(y, rows, columns) - rejected;
}
