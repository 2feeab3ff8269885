// Rows of a batch that is learnt: conditioned, and their columns' moments taken on the way, so that
// each is read once. Rows that are learnt one by one are made ready a few rows ahead, in memory
// that stays in the nearest cache: each waits for the one before it, and this goes on meanwhile.
// Where nothing is done to them but to put something in the place of missing numbers they are learnt
// where they lie, and made ready only if a number is missing, which shows in what comes of them.
// Written once for every set; see cm_body.h.

#define CM_GROUP 4   // rows that are made ready together
#define CM_RING 16   // rows that are kept: a power of two above three groups and the row before them

// How features become the model's input, as far as there is something to do.
enum { CM_STAGE_WHOLE, CM_STAGE_IMPUTE };

// What must not be read anew after each store is here and handed on by value.
typedef struct {
    const float *x;
    size_t stride, rows, width;
    size_t lines;  // lines of CM_LINE columns; the last one ends with the last column
    float *ring;   // [places, ring_stride], a power of two of places or one for each row
    size_t ring_stride, last_place;
    float *weights;
    const cm_conditioning *stage;
    // Of each line, of columns that may stand in two lines: what the stage has for them, what
    // differences are taken from, the sums of these, and those of their squares.
    const float *impute, *mean, *limit, *scale;
    int32_t kind, missing;
    int moments;
    int in_place;  // whether rows are learnt where they lie
    float *origins;
    double *sums, *squares;
} preparation;

CM_INLINE size_t lines_of(size_t width) {
    return width < CM_LINE ? 0 : (width + CM_LINE - 1) / CM_LINE;
}

CM_INLINE size_t up_to_line(size_t width) { return (width + 15) / 16 * 16; }

// In floats, with room to begin at a multiple of 64 bytes.
static size_t learn_scratch(size_t width) {
    return 16 + (CM_RING + 1) * up_to_line(width) + 9 * CM_LINE * lines_of(width);
}

CM_INLINE float *prepared(const preparation p, size_t row) {
    return p.ring + (row & p.last_place) * p.ring_stride;
}

// Makes rows ready that lie where they came.
CM_INLINE const float *fill_in(const preparation p, size_t row, size_t rows) {
    float *to = prepared(p, row);
    condition(p.stage, p.x + row * p.stride, p.stride, rows, to, p.ring_stride, NULL);
    return to;
}

CM_INLINE size_t line_start(size_t width, size_t line) {
    return (line + 1) * CM_LINE <= width ? line * CM_LINE : width - CM_LINE;
}

// The moments of a line of some rows.
CM_INLINE void add_line(const preparation p, const float *x, const int rows, size_t at) {
    vd start[CM_LINE_HALVES], sums[CM_LINE_HALVES], squares[CM_LINE_HALVES];
    CM_UNROLL for (int h = 0; h < CM_LINE_HALVES; h++) {
        start[h] = load_doubles(p.origins + at + h * CM_HALF, CM_HALF);
    }
    memcpy(sums, p.sums + at, sizeof sums);
    memcpy(squares, p.squares + at, sizeof squares);
    CM_UNROLL for (int r = 0; r < rows; r++) {
        add_differences(x + (size_t)r * p.stride, start, sums, squares);
    }
    memcpy(p.sums + at, sums, sizeof sums);
    memcpy(p.squares + at, squares, sizeof squares);
}

// A vector of some rows.
CM_INLINE void condition_line(const preparation p, const int32_t kind, const int32_t missing,
                              const float *x, float *y, const int rows, size_t at) {
    const stage_part part = {.impute = load(p.impute + at), .mean = load(p.mean + at),
                             .limit = load(p.limit + at), .scale = load(p.scale + at)};
    vf values[CM_GROUP];
    CM_UNROLL for (int r = 0; r < rows; r++) {
        vf value = load(x + (size_t)r * p.stride);
        vi found;
        values[r] = kind == CM_STAGE_WHOLE ? condition_some(part, missing, value, &found)
                                           : choose(value != value, part.impute, value);
    }
    CM_UNROLL for (int r = 0; r < rows; r++) store(y + (size_t)r * p.ring_stride, values[r]);
}

CM_INLINE void prepare_line(const preparation p, const int32_t kind, const int32_t missing,
                            size_t row, const int rows, size_t line) {
    const size_t i = line_start(p.width, line);
    const float *x = p.x + row * p.stride + i;
    float *y = prepared(p, row) + i;
    if (p.moments) add_line(p, x, rows, line * CM_LINE);
    CM_UNROLL for (size_t v = 0; v < CM_LINE; v += CM_LANES) {
        condition_line(p, kind, missing, x + v, y + v, rows, line * CM_LINE + v);
    }
}

CM_INLINE void prepare_lines(const preparation p, const int32_t kind, const int32_t missing,
                             size_t row) {
    for (size_t line = 0; line < p.lines; line++) {
        if (row + CM_GROUP <= p.rows) {
            prepare_line(p, kind, missing, row, CM_GROUP, line);
        } else {
            for (size_t r = row; r < p.rows; r++) prepare_line(p, kind, missing, r, 1, line);
        }
    }
}

// Asks for a group some rows ahead, into the second cache: the first one has places for few lines that
// are on their way, which rows at their turn need.
CM_INLINE void ask_for_group(const preparation p, size_t row) {
    const size_t step = p.stride * sizeof(float);
    // What lies behind the last row is most often the next one; asking for it touches nothing.
    uintptr_t ahead = (uintptr_t)p.x + (row + CM_AHEAD) * step;
    for (size_t i = 0; i < p.width; i += 16, ahead += 16 * sizeof(float)) {
        CM_UNROLL for (size_t r = 0; r < CM_GROUP; r++) {
            __builtin_prefetch((const void *)(ahead + r * step), 0, 2);
        }
    }
}

CM_INLINE void prepare_group(const preparation p, size_t row) {
    ask_for_group(p, row);
    if (row >= p.rows || p.in_place) return;
    if (p.lines == 0) {
        const size_t left = p.rows - row;
        condition(p.stage, p.x + row * p.stride, p.stride, left < CM_GROUP ? left : CM_GROUP,
                  prepared(p, row), p.ring_stride, NULL);
    } else if (p.missing != CM_IMPUTE) {
        prepare_lines(p, CM_STAGE_WHOLE, CM_PROPAGATE, row);
    } else if (p.kind == CM_STAGE_IMPUTE) {
        prepare_lines(p, CM_STAGE_IMPUTE, CM_IMPUTE, row);
    } else {
        prepare_lines(p, CM_STAGE_WHOLE, CM_IMPUTE, row);
    }
}

// Whether the stage does nothing but put something in the place of missing numbers.
static int32_t kind_of(const cm_conditioning *stage) {
    for (size_t i = 0; i < stage->width; i++) {
        if (stage->mean[i] != 0 || stage->scale[i] != 1 ||
            !(stage->limit[i] == __builtin_inff())) {
            return CM_STAGE_WHOLE;
        }
    }
    return CM_STAGE_IMPUTE;
}

// The parts of scratch memory, one after the other.
CM_INLINE float *take_floats(float **scratch, size_t count) {
    float *part = *scratch;
    *scratch += count;
    return part;
}

// Lines of what the stage has and of sums; whoever calls says where rows go.
static preparation describe(const cm_row_source *source, float **scratch) {
    const cm_conditioning *stage = source->stage;
    const size_t width = stage->width, lines = lines_of(width);
    preparation p = {.x = source->x, .stride = source->stride, .rows = source->rows,
                     .width = width, .lines = lines, .stage = stage, .kind = kind_of(stage),
                     .missing = stage->missing, .moments = source->count != NULL};
    p.sums = (double *)take_floats(scratch, 2 * lines * CM_LINE);
    p.squares = (double *)take_floats(scratch, 2 * lines * CM_LINE);
    memset(p.sums, 0, 2 * lines * CM_LINE * sizeof(double));
    const float *from[] = {source->x, stage->impute, stage->mean, stage->limit, stage->scale};
    float *to[5];
    for (int k = 0; k < 5; k++) {
        to[k] = take_floats(scratch, lines * CM_LINE);
        for (size_t line = 0; line < lines; line++) {
            memcpy(to[k] + line * CM_LINE, from[k] + line_start(width, line),
                   CM_LINE * sizeof(float));
        }
    }
    p.origins = to[0], p.impute = to[1], p.mean = to[2], p.limit = to[3], p.scale = to[4];
    return p;
}

CM_INLINE float *aligned(float *scratch) {
    return (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
}

// Whether the first rows have no number missing: where some have, making all ready takes less than to
// find out about each block.
static int begins_whole(const preparation *p) {
    vi missing = {0};
    for (size_t row = 0; row < p->rows && row < CM_RING; row++) {
        const float *x = p->x + row * p->stride;
        for (size_t i = 0; i < p->width; i += CM_LANES) missing |= load(x + i) != load(x + i);
    }
    return __builtin_reduce_or(missing) == 0;
}

static preparation begin_preparation(const cm_row_source *source, float *weights, float *scratch) {
    scratch = aligned(scratch);
    preparation p = describe(source, &scratch);
    p.in_place = p.kind == CM_STAGE_IMPUTE && !p.moments && p.width % CM_LANES == 0 &&
                 begins_whole(&p);
    p.ring_stride = up_to_line(p.width);
    p.last_place = CM_RING - 1;
    p.ring = take_floats(&scratch, CM_RING * p.ring_stride);
    p.weights = take_floats(&scratch, p.ring_stride);
    // Vectors are gone through whole.
    if (p.width % CM_LANES != 0) memset(p.ring, 0, (CM_RING + 1) * p.ring_stride * sizeof(float));
    memcpy(p.weights, weights, p.width * sizeof(float));
    return p;
}

// Fills in the moments of all rows as column_moments has them, once so many have been made ready.
static void finish_preparation(const preparation *p, const cm_row_source *source, size_t rows) {
    if (!source->count) return;
    int all = rows == p->rows && p->lines > 0;
    for (size_t i = 0; i < p->lines * CM_LINE; i++) all &= p->sums[i] - p->sums[i] == 0;
    // Where a number is missing or infinite, or rows are narrow.
    if (!all) {
        return column_moments(p->x, p->stride, p->rows, p->width, source->count, source->mean,
                              source->squares);
    }
    for (size_t line = 0; line < p->lines; line++) {
        const size_t i = line_start(p->width, line);
        for (size_t j = 0; j < CM_LINE; j++) {
            const size_t at = line * CM_LINE + j;
            source->count[i + j] = (double)rows;
            finish_moments((double)p->origins[at], (double)rows, p->sums[at], p->squares[at],
                           source->mean + i + j, source->squares + i + j);
        }
    }
}

// All rows at once, into y[rows, width].
static void prepare_rows(const cm_row_source *source, float *y, float *scratch) {
    scratch = aligned(scratch);
    preparation p = describe(source, &scratch);
    p.ring = y;
    p.ring_stride = p.width;
    p.last_place = SIZE_MAX;
    const preparation rows = p;
    for (size_t row = 0; row < rows.rows; row += CM_GROUP) {
        prepare_group(rows, row);
    }
    finish_preparation(&p, source, p.rows);
}
