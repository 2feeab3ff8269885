// Moments of columns, rows added from first to last. Written once for every set; see cm_body.h.

// A column's first number that is not missing, 0 where there is none.
CM_INLINE float first_number(const float *x, size_t stride, size_t rows) {
    for (size_t row = 0; row < rows; row++, x += stride) {
        if (*x == *x) return *x;
    }
    return 0;
}

// What the sums of a column's differences from its origin, and of their squares, say. Differences are
// taken from a number of the column itself: that one is then no farther from the mean than all
// together are, so little is lost when its square is taken off again.
CM_INLINE void finish_moments(double origin, double count, double sum, double power, double *mean,
                              double *squares) {
    const double share = count > 0 ? sum / count : 0;
    const double rest = power - share * sum;
    *mean = origin + share;
    // A number that is none stays one.
    *squares = rest < 0 ? 0 : rest;
}

// One column.
static void column_moment(const float *x, size_t stride, size_t rows, double *count, double *mean,
                          double *squares) {
    const double origin = (double)first_number(x, stride, rows);
    double numbers = 0, sum = 0, power = 0;
    for (size_t row = 0; row < rows; row++, x += stride) {
        const double difference = *x == *x ? (double)*x - origin : 0;
        numbers += *x == *x ? 1 : 0;
        sum += difference;
        power = CM_FMA(difference, difference, power);
    }
    *count = numbers;
    finish_moments(origin, numbers, sum, power, mean, squares);
}

#define CM_LINE 16                        // columns that are read together: a cache line
#define CM_LINE_HALVES (CM_LINE / CM_HALF)

// The sums of some columns' differences from their origins, and of the squares of these.
typedef struct {
    float origins[CM_LINE];
    double sums[CM_LINE], squares[CM_LINE];
} differences;

CM_INLINE void add_differences(const float *x, const vd *start, vd *sums, vd *squares) {
    CM_UNROLL for (int h = 0; h < CM_LINE_HALVES; h++) {
        vd difference = load_doubles(x + h * CM_HALF, CM_HALF) - start[h];
        sums[h] = sums[h] + difference;
        squares[h] = CM_FMA(difference, difference, squares[h]);
    }
}

// Rows of CM_LINE columns. Where a number is missing the origin stands in its place, which adds
// nothing; `all` when none is missing.
CM_INLINE void sum_differences(const float *x, size_t stride, size_t rows, const int all,
                               differences *d) {
    vd sums[CM_LINE_HALVES] = {{0}}, squares[CM_LINE_HALVES] = {{0}}, start[CM_LINE_HALVES];
    CM_UNROLL for (int h = 0; h < CM_LINE_HALVES; h++) {
        start[h] = load_doubles(d->origins + h * CM_HALF, CM_HALF);
    }
    for (size_t row = 0; row < rows; row++, x += stride) {
        if (all) {
            add_differences(x, start, sums, squares);
            continue;
        }
        float values[CM_LINE];
        for (size_t i = 0; i < CM_LINE; i += CM_LANES) {
            vf value = load(x + i);
            store(values + i, choose(value == value, value, load(d->origins + i)));
        }
        add_differences(values, start, sums, squares);
    }
    memcpy(d->sums, sums, sizeof sums);
    memcpy(d->squares, squares, sizeof squares);
}

// How many numbers each of CM_LINE columns has.
CM_INLINE void count_numbers(const float *x, size_t stride, size_t rows, double *count) {
    vi present[CM_LINE / CM_LANES] = {{0}};
    for (size_t row = 0; row < rows; row++, x += stride) {
        CM_UNROLL for (int v = 0; v < CM_LINE / CM_LANES; v++) {
            vf value = load(x + v * CM_LANES);
            present[v] -= value == value;
        }
    }
    for (size_t i = 0; i < CM_LINE; i++) count[i] = present[i / CM_LANES][i % CM_LANES];
}

// CM_LINE columns.
static void line_moments(const float *x, size_t stride, size_t rows, double *count, double *mean,
                         double *squares) {
    differences d;
    for (size_t i = 0; i < CM_LINE; i++) d.origins[i] = first_number(x + i, stride, rows);
    sum_differences(x, stride, rows, 1, &d);
    int all = 1;
    for (size_t i = 0; i < CM_LINE; i++) {
        count[i] = (double)rows;
        all &= d.sums[i] == d.sums[i];
    }
    if (!all) {
        count_numbers(x, stride, rows, count);
        sum_differences(x, stride, rows, 0, &d);
    }
    for (size_t i = 0; i < CM_LINE; i++) {
        finish_moments((double)d.origins[i], count[i], d.sums[i], d.squares[i], mean + i,
                       squares + i);
    }
}

static void column_moments(const float *x, size_t stride, size_t rows, size_t width, double *count,
                           double *mean, double *squares) {
    size_t i = 0;
    for (; i + CM_LINE <= width; i += CM_LINE) {
        line_moments(x + i, stride, rows, count + i, mean + i, squares + i);
    }
    // The last columns are read again with others before them, or one by one where there are none.
    if (i < width && width >= CM_LINE) {
        i = width - CM_LINE;
        return line_moments(x + i, stride, rows, count + i, mean + i, squares + i);
    }
    for (; i < width; i++) {
        column_moment(x + i, stride, rows, count + i, mean + i, squares + i);
    }
}

// The moments of all rows from those of some and of others: `count` and so on get them.
// Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
// Variances", 1979.
static void merge_moments(double *count, double *mean, double *squares, const double *more_count,
                          const double *more_mean, const double *more_squares, size_t width) {
    size_t i = 0;
    for (; i + CM_HALF <= width; i += CM_HALF) {
        vd c, m, s, more, other, rest;
        memcpy(&c, count + i, sizeof c);
        memcpy(&m, mean + i, sizeof m);
        memcpy(&s, squares + i, sizeof s);
        memcpy(&more, more_count + i, sizeof more);
        memcpy(&other, more_mean + i, sizeof other);
        memcpy(&rest, more_squares + i, sizeof rest);
        vl some = more > 0.0;
        vd total = choose_double(some, c + more, splat_double(1));
        vd difference = other - m;
        vd new_mean = m + difference * (more / total);
        vd new_squares = s + (rest + difference * difference * (c * more / total));
        c = choose_double(some, total, c);
        m = choose_double(some, new_mean, m);
        s = choose_double(some, new_squares, s);
        memcpy(count + i, &c, sizeof c);
        memcpy(mean + i, &m, sizeof m);
        memcpy(squares + i, &s, sizeof s);
    }
    for (; i < width; i++) {
        const double more = more_count[i];
        if (!(more > 0)) continue;
        const double total = count[i] + more, difference = more_mean[i] - mean[i];
        mean[i] += difference * (more / total);
        squares[i] += more_squares[i] + difference * difference * (count[i] * more / total);
        count[i] = total;
    }
}

// What columns are multiplied by to have a deviation of 1: one over it, as floats; 1 where that is no
// normal number. At most CM_HALF columns.
CM_INLINE void some_units(const double *count, const double *squares, size_t columns,
                          float *units) {
    vd c = {0}, s = {0};
    memcpy(&c, count, columns * sizeof *count);
    memcpy(&s, squares, columns * sizeof *squares);
    vh unit = __builtin_convertvector(1.0 / __builtin_elementwise_sqrt(s / c), vh);
    const half_mask normal = (unit >= 0x1p-126f) & (unit < __builtin_inff());
    unit = (vh)((normal & (half_mask)unit) | (~normal & (half_mask)((vh){0} + 1)));
    memcpy(units, &unit, columns * sizeof *units);
}

static void column_units(const double *count, const double *squares, size_t width, float *units) {
    size_t i = 0;
    for (; i + CM_HALF <= width; i += CM_HALF) {
        some_units(count + i, squares + i, CM_HALF, units + i);
    }
    if (i < width) some_units(count + i, squares + i, width - i, units + i);
}
