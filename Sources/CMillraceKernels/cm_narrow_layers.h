// Layers in narrow numbers, written once over an operation on them; see cm_narrow.h. A file for
// each kind of number and processor compiles it and defines, beside what cm_vector.h asks for:
//   CM_WORD                      how many numbers a word of 32 bits has
//   sums                         a vector's sums, a type: of float (pairs) or int32_t (bytes)
//   ADD_PRODUCTS(s, word, w)     s plus the products of a row's word with those of 16 columns
//   FINISH(layer, column, s)     the activations that 16 sums become
//   STORE_NARROW(layer, column, to, s)   the same as the next layer takes them
//   STORE_SIMPLE(layer, column, to, s)   the same of a simple layer's 16 columns that are all there:
//                                without a call, so that sums stay in registers
//   TAKE_ROW(network, x, to)     rounds one row of features; returns whether it has outputs
//   CM_NARROW_ROWS               rows of the largest register block: 6, or 1 for little code
// `layer` is a narrow_layer.

#define CM_NARROW_VECTORS (CM_NARROW_PANEL / CM_LANES)

CM_INLINE sums load_sums(const void *from) {
    sums s;
    memcpy(&s, from, sizeof s);
    return s;
}

CM_INLINE size_t words_of(size_t count) { return (count + CM_WORD - 1) / CM_WORD; }

// From row to row of narrow activations, in words.
CM_INLINE size_t narrow_stride(size_t count) {
    return (count + CM_LANES - 1) / CM_LANES * (CM_LANES / CM_WORD);
}

// A part of a layer: some rows and one panel, or two.
typedef struct {
    narrow_layer layer;
    const uint32_t *weights;
    size_t panel_size;  // words from one panel to the next
    const uint32_t *x;
    size_t x_stride;
    size_t words;
    size_t column;
    uint32_t *next;  // where the next layer takes its inputs; null for `sums`
    size_t next_stride;
    void *target;  // for sums that are finished later
    size_t blocks;  // register blocks one below the other
} narrow_part;

#define CM_TARGET_WIDTH (2 * CM_NARROW_PANEL)

// Blocks one below the other: the sums of each output run over the inputs in one fixed order.
CM_INLINE void narrow_block(const narrow_part *p, const int rows, const int vectors,
                            const int panels) {
    const uint32_t *x = p->x;
    uint32_t *next = p->next;
    char *target = p->target;
    for (size_t count = p->blocks; count > 0; count--) {
        sums s[CM_NARROW_ROWS][2 * CM_NARROW_VECTORS];
        CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
            const sums start = load_sums((const char *)p->layer.start +
                                         (p->column + (size_t)v * CM_LANES) * sizeof(float));
            CM_UNROLL for (int r = 0; r < rows; r++) s[r][v] = start;
        }
        const uint32_t *weights = p->weights, *row[CM_NARROW_ROWS];
        CM_UNROLL for (int r = 0; r < rows; r++) row[r] = x + (size_t)r * p->x_stride;
        const size_t words = p->words, panel_size = p->panel_size;
        _Pragma("clang loop unroll_count(4)") for (size_t k = 0; k < words; k++) {
            vi w[2 * CM_NARROW_VECTORS];
            CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                memcpy(&w[v], weights + (size_t)(v / vectors) * panel_size + v % vectors * CM_LANES,
                       sizeof w[v]);
            }
            CM_UNROLL for (int r = 0; r < rows; r++) {
                const uint32_t word = row[r][k];
                CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                    s[r][v] = ADD_PRODUCTS(s[r][v], word, w[v]);
                }
            }
            weights += vectors * CM_LANES;
        }
        if (next) {
            CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                CM_UNROLL for (int r = 0; r < rows; r++) {
                    STORE_SIMPLE(&p->layer, p->column + (size_t)v * CM_LANES,
                                 next + (size_t)r * p->next_stride + v * (CM_LANES / CM_WORD),
                                 s[r][v]);
                }
            }
            next += (size_t)rows * p->next_stride;
        } else {
            CM_UNROLL for (int r = 0; r < rows; r++) {
                CM_UNROLL for (int v = 0; v < vectors * panels; v++) {
                    memcpy(target + (size_t)(r * CM_TARGET_WIDTH + v * CM_LANES) * sizeof(float),
                           &s[r][v], sizeof(sums));
                }
            }
            target += (size_t)rows * CM_TARGET_WIDTH * sizeof(float);
        }
        x += (size_t)rows * p->x_stride;
    }
}

// A function for each shape: in one of all shapes sums would not stay in registers.
#define CM_NARROW_BLOCK(R, V)                                                       \
    static __attribute__((noinline)) void narrow_##R##_##V(const narrow_part *p) { \
        narrow_block(p, R, V, 1);                                                  \
    }
#if CM_NARROW_ROWS == 1
#define CM_NARROW_BLOCKS(V) CM_NARROW_BLOCK(1, V)
#define CM_NARROW_NAMES(V) {narrow_1_##V}
#else
#define CM_NARROW_BLOCKS(V)                                                 \
    CM_NARROW_BLOCK(1, V) CM_NARROW_BLOCK(2, V) CM_NARROW_BLOCK(3, V)       \
    CM_NARROW_BLOCK(4, V) CM_NARROW_BLOCK(5, V) CM_NARROW_BLOCK(6, V)
#define CM_NARROW_NAMES(V) \
    {narrow_1_##V, narrow_2_##V, narrow_3_##V, narrow_4_##V, narrow_5_##V, narrow_6_##V}
#endif

CM_NARROW_BLOCKS(1)
CM_NARROW_BLOCKS(2)
CM_NARROW_BLOCKS(3)
CM_NARROW_BLOCKS(4)

typedef void (*narrow_function)(const narrow_part *p);

static const narrow_function narrow_blocks[CM_NARROW_VECTORS][CM_NARROW_ROWS] = {
    CM_NARROW_NAMES(1), CM_NARROW_NAMES(2), CM_NARROW_NAMES(3), CM_NARROW_NAMES(4)};

// One row has too few sums in a panel to keep the multipliers busy.
static __attribute__((noinline)) void narrow_wide(const narrow_part *p) {
    narrow_block(p, 1, CM_NARROW_VECTORS, 2);
}

// Sums of a panel's rows to where they go: to the next layer, or to the outputs.
static void finish_rows(const narrow_layer *layer, const char *from, size_t rows, size_t column,
                        size_t columns, uint32_t *next, size_t next_stride, float *y,
                        size_t y_stride) {
    for (size_t row = 0; row < rows; row++, from += CM_TARGET_WIDTH * sizeof(float)) {
        for (size_t i = 0; i < columns; i += CM_LANES) {
            const sums s = load_sums(from + i * sizeof(float));
            if (next) {
                STORE_NARROW(layer, column + i, next + row * next_stride + i / CM_WORD, s);
            } else {
                store_first(y + row * y_stride + i, FINISH(layer, column + i, s),
                            up_to_lanes(columns - i));
            }
        }
    }
}

// A layer's activations for some rows: narrow in `next`, or, of the last layer, in `y`.
static void narrow_rows(narrow_layer layer, const uint32_t *x, size_t rows, uint32_t *next,
                        float *y) {
    const size_t words = words_of(layer.inputs), outputs = layer.outputs;
    const size_t next_stride = narrow_stride(outputs);
    const size_t count = (rows + CM_NARROW_ROWS - 1) / CM_NARROW_ROWS;
    char target[CM_NARROW_ROWS * CM_TARGET_WIDTH * sizeof(float)] __attribute__((aligned(64)));
    for (size_t column = 0; column < outputs;) {
        const size_t left = outputs - column;
        size_t vectors = (left + CM_LANES - 1) / CM_LANES;
        if (vectors > CM_NARROW_VECTORS) vectors = CM_NARROW_VECTORS;
        const int wide = rows == 1 && left >= 2 * CM_NARROW_PANEL;
        const size_t width = wide ? 2 * CM_NARROW_PANEL : vectors * CM_LANES;
        // Activations that need no polynomial stay in registers.
        const int direct = next && layer.simple && left >= width;
        narrow_part p = {.layer = layer, .weights = layer.weights + column * words,
                         .panel_size = CM_NARROW_PANEL * words, .words = words,
                         .x_stride = narrow_stride(layer.inputs), .column = column,
                         .next_stride = next_stride, .target = target};
        // As even as can be: a block of one or two rows would be as slow as one of four.
        for (size_t i = 0, row = 0; i < 2; i++) {
            const size_t height = rows / count + (i == 0 ? 1 : 0);
            const size_t blocks = i == 0 ? rows % count : count - rows % count;
            if (blocks == 0) continue;
            const narrow_function function =
                wide ? narrow_wide : narrow_blocks[vectors - 1][height - 1];
            p.blocks = direct ? blocks : 1;
            for (size_t b = 0; b < blocks; b += p.blocks, row += height * p.blocks) {
                uint32_t *to = next ? next + row * next_stride + column / CM_WORD : NULL;
                p.x = x + row * p.x_stride;
                p.next = direct ? to : NULL;
                function(&p);
                if (direct) continue;
                finish_rows(&layer, target, height, column, left < width ? left : width, to,
                            next_stride, y + row * outputs + column, outputs);
            }
        }
        column += width;
    }
}

static void narrow_tile(const cm_network *network, const cm_matrix *source, size_t first,
                        size_t rows, float *output, float *scratch, cm_counts *counts) {
    const size_t columns = network->outputs;
    float *y = output + first * columns;
    tile t;
    t.memory[0] = scratch;
    t.memory[1] = scratch + network->tile_rows * network->scratch_stride;
    take_rows(network, source, first, rows, &t);
    uint32_t *x = (uint32_t *)t.memory[1], *next = (uint32_t *)t.memory[0];
    const size_t stride = narrow_stride(network->input.width);
    uint8_t sound[CM_TILE_ROWS_MAX];
    for (size_t row = 0; row < rows; row++) {
        sound[row] = TAKE_ROW(network, t.rows + row * t.stride, x + row * stride);
    }
    for (size_t i = 0; i < network->layer_count; i++) {
        const int last = i + 1 == network->layer_count;
        narrow_rows(narrow_layer_at(network, i), x, rows, last ? NULL : next, y);
        uint32_t *before = x;
        x = next;
        next = before;
    }
    apply_head(network, rows, y);
    for (size_t row = 0; row < rows; row++) {
        if (sound[row]) continue;
        for (size_t i = 0; i < columns; i++) y[row * columns + i] = __builtin_nanf("");
    }
    count_tile(network, &t, rows, y, counts);
}

static void narrow_predict(const cm_network *network, const cm_matrix *source, float *output,
                           float *scratch, cm_counts *counts) {
    const cm_mode saved = cm_enter_mode(1);
    const size_t most = network->tile_rows;
    const size_t tiles = (source->rows + most - 1) / most;
    for (size_t i = 0, row = 0; i < tiles; i++) {
        const size_t count = source->rows / tiles + (i < source->rows % tiles ? 1 : 0);
        narrow_tile(network, source, row, count, output, scratch, counts);
        row += count;
    }
    cm_leave_mode(saved, 1);
}

static const cm_narrow_set narrow_set = {.predict = narrow_predict};
