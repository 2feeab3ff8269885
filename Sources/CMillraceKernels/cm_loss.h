// Losses, predictions and slopes of rows from their last layer's sums, in double. Written once for
// every set; see cm_body.h.

#define CM_KEPT_CLASSES 64  // sums and exponentials that are kept from one pass to the next

// A vector of rows with one sum each; returns which are on the right side.
CM_INLINE vl judge_some(const float *sums, const float *labels, const float *factors,
                        size_t count, float *outputs, float *delta, double *costs) {
    vd x = load_doubles(sums, count);
    vl positive = load_doubles(labels, count) == 1.0;
    vd margin = choose_double(positive, x, -x);
    vd tail = exp_of_negative((vd)((vl)x | INT64_MIN));
    vd share = 1.0 / (1.0 + tail);
    vd cost = choose_double(margin < 0.0, -margin, splat_double(0)) +
              log_of_one_plus(tail, share);
    memcpy(costs, &cost, count * sizeof(double));
    store_floats(outputs, choose_double(x >= 0.0, splat_double(1), tail) * share, count);
    // The probability of the wrong answer keeps its precision however small it gets.
    vd wrong = choose_double(margin >= 0.0, tail, splat_double(1)) * share;
    vd slope = choose_double(positive, -wrong, wrong);
    if (factors) slope = slope * load_doubles(factors, count);
    store_floats(delta, slope, count);
    return (x > 0.0) == positive;
}

static size_t judge_logistic(const float *sums, const float *labels, const float *factors,
                             size_t rows, float *outputs, float *delta, double *costs) {
    vl found = {0};
    size_t row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        found -= judge_some(sums + row, labels + row, factors ? factors + row : NULL, CM_HALF,
                            outputs + row, delta + row, costs + row);
    }
    size_t correct = (size_t)__builtin_reduce_add(found);
    if (row < rows) {
        vl right = judge_some(sums + row, labels + row, factors ? factors + row : NULL, rows - row,
                              outputs + row, delta + row, costs + row);
        for (size_t i = 0; i < rows - row; i++) correct += right[i] != 0;
    }
    return correct;
}

// Some rows' element of a column; the last row stands for those that are not there.
CM_INLINE vd column_of(const float *x, size_t columns, size_t rows) {
    vh some;
    if (rows == CM_HALF) {
        CM_UNROLL for (size_t i = 0; i < CM_HALF; i++) some[i] = x[i * columns];
        return __builtin_convertvector(some, vd);
    }
    for (size_t i = 0; i < CM_HALF; i++) some[i] = x[(i < rows ? i : rows - 1) * columns];
    return __builtin_convertvector(some, vd);
}

CM_INLINE void store_column(float *x, size_t columns, size_t rows, vd values) {
    vh some = __builtin_convertvector(values, vh);
    CM_UNROLL for (size_t i = 0; i < CM_HALF; i++) {
        if (i < rows) x[i * columns] = some[i];
    }
}

// Up to CM_HALF rows, one in each lane; returns how many predictions are right, the prediction being
// the first of the largest sums.
CM_INLINE size_t judge_lanes(const float *sums, size_t classes, const float *labels,
                             const float *factors, size_t rows, float *outputs, float *delta,
                             double *costs) {
    vd kept[CM_KEPT_CLASSES];
    const vd target = column_of(labels, 1, rows);
    const vd factor = factors ? column_of(factors, 1, rows) : splat_double(1);
    vd largest = column_of(sums, classes, rows), best = {0}, own = {0}, total = {0};
    for (size_t i = 0; i < classes; i++) {
        vd x = column_of(sums + i, classes, rows);
        if (i < CM_KEPT_CLASSES) kept[i] = x;
        vl greater = x > largest;
        largest = choose_double(greater, x, largest);
        best = choose_double(greater, splat_double((double)i), best);
        own = choose_double(target == (double)i, x, own);
    }
    for (size_t i = 0; i < classes; i++) {
        vd x = i < CM_KEPT_CLASSES ? kept[i] : column_of(sums + i, classes, rows);
        vd e = exp_of_negative(x - largest);
        if (i < CM_KEPT_CLASSES) kept[i] = e;
        total = total + e;
    }
    const vd share = 1.0 / total;
    for (size_t i = 0; i < classes; i++) {
        vd e = i < CM_KEPT_CLASSES
                   ? kept[i]
                   : exp_of_negative(column_of(sums + i, classes, rows) - largest);
        vd p = e * share;
        store_column(outputs + i, classes, rows, p);
        p = choose_double(target == (double)i, p - 1.0, p);
        store_column(delta + i, classes, rows, p * factor);
    }
    vd cost = log_of_normal(total) + (largest - own);
    memcpy(costs, &cost, rows * sizeof(double));
    vl right = (best == target) & (largest == largest);
    size_t correct = 0;
    for (size_t i = 0; i < rows; i++) correct += right[i] != 0;
    return correct;
}

static size_t judge_softmax(const float *sums, size_t classes, const float *labels,
                            const float *factors, size_t rows, float *outputs, float *delta,
                            double *costs) {
    size_t correct = 0, row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        correct += judge_lanes(sums + row * classes, classes, labels + row,
                               factors ? factors + row : NULL, CM_HALF, outputs + row * classes,
                               delta + row * classes, costs + row);
    }
    if (row < rows) {
        correct += judge_lanes(sums + row * classes, classes, labels + row,
                               factors ? factors + row : NULL, rows - row,
                               outputs + row * classes, delta + row * classes, costs + row);
    }
    return correct;
}

// How many labels are no class below `classes`.
static size_t labels_outside(const float *labels, size_t rows, size_t classes) {
    const float top = (float)classes;
    vi outside = {0};
    size_t row = 0;
    for (; row + CM_LANES <= rows; row += CM_LANES) {
        vf label = load(labels + row);
        vi is_whole = __builtin_elementwise_trunc(label) == label;
        outside += ~((label >= 0.0f) & (label < top) & is_whole);
    }
    size_t count = (size_t)-__builtin_reduce_add(outside);
    for (; row < rows; row++) {
        const float label = labels[row];
        count += !(label >= 0 && label < top && (float)(int64_t)label == label);
    }
    return count;
}

// Counts rows in equal bins of their log odds from -range to range, those beyond in the outer ones.
static void count_odds(const float *odds, const float *labels, size_t rows, double range,
                       size_t bins, uint64_t *positives, uint64_t *negatives) {
    const double per_bin = (double)bins / (2 * range), last = (double)(bins - 1);
    for (size_t row = 0; row < rows; row += CM_HALF) {
        const size_t n = up_to_half(rows - row);
        vd place = (load_doubles(odds + row, n) + range) * per_bin;
        // What is no number counts as the smallest.
        place = choose_double(place >= 0.0, place, splat_double(0));
        place = choose_double(place > last, splat_double(last), place);
        vl bin = __builtin_convertvector(place, vl);
        for (size_t i = 0; i < n; i++) {
            uint64_t *counts = labels[row + i] == 1 ? positives : negatives;
            counts[bin[i]]++;
        }
    }
}
