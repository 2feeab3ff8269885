// A batch through a network, in tiles of rows that go through all layers while they are in the
// nearest caches. Written once for every set; see cm_body.h.

// A layer by a foreign product, whose order of summation depends on the number of rows: it always
// gets a full tile, with zeros in rows that are not there.
static void foreign(const cm_network *network, const cm_layer *layer, tile *t, size_t rows,
                    float *y, size_t y_stride) {
    float *x = t->memory[0];
    memset(x + rows * t->stride, 0, (network->tile_rows - rows) * t->stride * sizeof(float));
    network->multiply(network->tile_rows, layer->outputs, layer->inputs, x, t->stride,
                      layer->weights, y, y_stride);
    activate(layer->activation, layer->bias, rows, layer->outputs, y, y_stride, y, y_stride);
}

// Copies rows without gaps; whole vectors where the overhang is overwritten by the next row.
static void pack_rows(const float *x, size_t stride, size_t rows, size_t columns, float *y) {
    const size_t padded = (columns + CM_LANES - 1) / CM_LANES * CM_LANES;
    const size_t end = rows * columns;
    for (size_t row = 0; row < rows; row++, x += stride) {
        float *target = y + row * columns;
        if (row * columns + padded <= end) {
            for (size_t i = 0; i < columns; i += CM_LANES) store(target + i, load(x + i));
        } else {
            for (size_t i = 0; i < columns; i += CM_LANES) {
                size_t n = up_to_lanes(columns - i);
                store_first(target + i, load_first(x + i, n), n);
            }
        }
    }
}

// Whether a layer of so many outputs writes nothing behind them.
CM_INLINE int leaves_rows_whole(size_t outputs) {
    const cm_columns columns = divide_columns(outputs);
    return columns.paneled % CM_LANES == 0 && (columns.half == 0 || columns.half == CM_HALF_LANES);
}

static void run_layers(const cm_network *network, const cm_matrix *source, size_t first,
                       size_t rows, float *y, tile *t) {
    take_rows(network, source, first, rows, t);
    const size_t columns = network->outputs;
    for (size_t i = 0; i < network->layer_count; i++) {
        const cm_layer *layer = &network->layers[i];
        const int last = i + 1 == network->layer_count;
        const int direct = last && !network->multiply && leaves_rows_whole(columns);
        float *target = direct ? y : t->memory[1];
        size_t stride = direct ? columns : layer->stride;
        if (network->multiply) {
            foreign(network, layer, t, rows, target, stride);
        } else {
            dense(layer, t->rows, t->stride, rows, target, stride);
        }
        if (last && !direct) pack_rows(target, stride, rows, columns, y);
        t->memory[1] = t->memory[0];
        t->memory[0] = target;
        t->rows = target;
        t->stride = stride;
    }
}

// Whether all that becomes of rows is a lone layer of one output.
CM_INLINE int is_lone_sum(const cm_network *network) {
    return network->plain && !network->multiply && network->layer_count == 1 &&
           network->outputs == 1;
}

static void forward_tile(const cm_network *network, const cm_matrix *source, size_t first,
                         size_t rows, float *output, tile *t, cm_counts *counts) {
    float *y = output + first * network->outputs;
    if (is_lone_sum(network) && has_bytes(source)) {
        byte_sums(network, source, first, rows, y);
    } else {
        run_layers(network, source, first, rows, y, t);
    }
    apply_head(network, rows, y);
    count_tile(network, t, rows, y, counts);
}

// Rows that go through the layers together. A lone layer of one output that reads rows where they
// are needs no room for activations; only its outputs, which are looked at again, must stay near.
static size_t rows_of_tile(const cm_network *network, const cm_matrix *source) {
    const int reads_in_place = source->type == CM_FLOAT32 || has_bytes(source);
    return is_lone_sum(network) && reads_in_place ? 1024 : network->tile_rows;
}

static __attribute__((noinline)) void forward(const cm_network *network, const cm_matrix *source,
                                              float *output, float *scratch, cm_counts *counts) {
    const size_t tile_rows = rows_of_tile(network, source);
    const size_t tiles = (source->rows + tile_rows - 1) / tile_rows;
    const size_t tile_size = network->tile_rows * network->scratch_stride;
    tile t;
    for (size_t i = 0, row = 0; i < tiles; i++) {
        // As even as can be, so that no tile is left with a row or two.
        size_t count = source->rows / tiles + (i < source->rows % tiles ? 1 : 0);
        t.memory[0] = scratch;
        t.memory[1] = scratch + tile_size;
        forward_tile(network, source, row, count, output, &t, counts);
        row += count;
    }
}

static void predict(const cm_network *network, const cm_matrix *source, float *output,
                    float *scratch, cm_counts *counts) {
    const cm_mode saved = cm_enter_mode(CM_FLUSH);
    forward(network, source, output, scratch, counts);
    cm_leave_mode(saved, CM_FLUSH);
}
