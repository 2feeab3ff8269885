// A lone layer of one output, of rows of bytes: they are widened on their way into the products, to
// the numbers that `widen` makes of them, and stored nowhere. Written once for every set; see
// cm_body.h.

typedef uint8_t unsigned_bytes __attribute__((vector_size(CM_LANES)));
typedef int8_t signed_bytes __attribute__((vector_size(CM_LANES)));

// Bytes in rows; `whole` where their scale is 1 and their zero point 0, as of counts and pixels.
typedef struct {
    const char *cells;
    size_t stride, inputs;
    float scale;
    int32_t zero_point;
} byte_rows;

// `count` numbers of row `r` from the k-th, and zeros.
CM_INLINE vf widened(const int32_t type, const int whole, const byte_rows rows, size_t r, size_t k,
                     size_t count) {
    signed_bytes bytes = {0};
    memcpy(&bytes, rows.cells + r * rows.stride + k, count);
    vi integers = type == CM_UINT8 ? __builtin_convertvector((unsigned_bytes)bytes, vi)
                                   : __builtin_convertvector(bytes, vi);
    if (!whole) integers = integers - rows.zero_point;
    vf values = __builtin_convertvector(integers, vf);
    if (!whole) values = values * rows.scale;
    if (whole || count == CM_LANES) return values;
    float elements[CM_LANES];
    store(elements, values);
    return load_first(elements, count);
}

// As `dot_block`.
CM_INLINE void byte_dots(const int32_t type, const int whole, const byte_rows rows,
                         const float *weights, const int count, vf *v) {
    CM_UNROLL for (int r = 0; r < CM_DOT_ROWS; r++) v[r] = (vf){0};
    size_t k = 0;
    for (; k + CM_LANES <= rows.inputs; k += CM_LANES) {
        const vf w = load(weights + k);
        CM_UNROLL for (int r = 0; r < count; r++) {
            v[r] = CM_FMA(widened(type, whole, rows, (size_t)r, k, CM_LANES), w, v[r]);
        }
    }
    if (k == rows.inputs) return;
    const vf w = load(weights + k);
    CM_UNROLL for (int r = 0; r < count; r++) {
        v[r] = CM_FMA(widened(type, whole, rows, (size_t)r, k, rows.inputs - k), w, v[r]);
    }
}

// As `dot_column`.
CM_INLINE void byte_column(const int32_t type, const int whole, byte_rows rows,
                           const float *weights, float bias, size_t count, float *y) {
    size_t row = 0;
    for (; row + CM_DOT_ROWS <= count; row += CM_DOT_ROWS) {
        vf v[CM_DOT_ROWS];
        byte_dots(type, whole, rows, weights, CM_DOT_ROWS, v);
        CM_UNROLL for (int r = 0; r < CM_DOT_ROWS; r += 4) {
            const quarter sums = four_sums(v + r) + bias;
            memcpy(y + row + r, &sums, sizeof sums);
        }
        rows.cells += CM_DOT_ROWS * rows.stride;
    }
    for (; row < count; row++, rows.cells += rows.stride) {
        vf v[CM_DOT_ROWS];
        byte_dots(type, whole, rows, weights, 1, v);
        y[row] = four_sums(v)[0] + bias;
    }
}

// A function for each kind, so that a loop has what it needs in registers.
#define CM_BYTE_COLUMN(NAME, TYPE, WHOLE)                                                          \
    static __attribute__((noinline)) void NAME(byte_rows rows, const float *weights, float bias,   \
                                               size_t count, float *y) {                           \
        byte_column(TYPE, WHOLE, rows, weights, bias, count, y);                                   \
    }
CM_BYTE_COLUMN(unsigned_column, CM_UINT8, 0)
CM_BYTE_COLUMN(whole_unsigned_column, CM_UINT8, 1)
CM_BYTE_COLUMN(signed_column, CM_INT8, 0)
CM_BYTE_COLUMN(whole_signed_column, CM_INT8, 1)

// y[rows] = activation(x[rows, inputs] * weights + bias) for the rows from `first`.
static void byte_sums(const cm_network *network, const cm_matrix *source, size_t first,
                      size_t rows, float *y) {
    const cm_layer *layer = network->layers;
    const int whole = source->scale == 1 && source->zero_point == 0;
    const byte_rows bytes = {.cells = source_row(source, first), .stride = source->stride,
                             .inputs = layer->inputs, .scale = source->scale,
                             .zero_point = source->zero_point};
    (source->type == CM_UINT8 ? whole ? whole_unsigned_column : unsigned_column
                              : whole ? whole_signed_column : signed_column)(
        bytes, layer->weights, layer->bias[0], rows, y);
    if (layer->activation != CM_IDENTITY) transform_columns(layer->activation, y, 1, rows, 1);
}
