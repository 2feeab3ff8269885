// Losses, predictions and slopes of rows from their last layer's sums, in double. Written once for
// every set; see cm_body.h.

#define CM_KEPT_CLASSES 64  // exponentials that are kept from one pass to the next

// A vector of rows with one sum each; returns how many are on the right side.
CM_INLINE size_t judge_some(const float *sums, const float *labels, const float *factors,
                            size_t count, float *outputs, float *delta, double *costs) {
    vd x = load_doubles(sums, count);
    vl positive = load_doubles(labels, count) == 1.0;
    vd margin = choose_double(positive, x, -x);
    vd tail = exp_of_negative((vd)((vl)x | INT64_MIN));
    vd share = 1.0 / (1.0 + tail);
    vd cost = choose_double(margin < 0.0, -margin, splat_double(0)) + log_of_one_plus(tail);
    memcpy(costs, &cost, count * sizeof(double));
    store_floats(outputs, choose_double(x >= 0.0, splat_double(1), tail) * share, count);
    // The probability of the wrong answer keeps its precision however small it gets.
    vd wrong = choose_double(margin >= 0.0, tail, splat_double(1)) * share;
    vd slope = choose_double(positive, -wrong, wrong);
    if (factors) slope = slope * load_doubles(factors, count);
    store_floats(delta, slope, count);
    vl right = (x > 0.0) == positive;
    size_t correct = 0;
    for (size_t i = 0; i < count; i++) correct += right[i] != 0;
    return correct;
}

static size_t judge_logistic(const float *sums, const float *labels, const float *factors,
                             size_t rows, float *outputs, float *delta, double *costs) {
    size_t correct = 0, row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        correct += judge_some(sums + row, labels + row, factors ? factors + row : NULL, CM_HALF,
                              outputs + row, delta + row, costs + row);
    }
    if (row < rows) {
        correct += judge_some(sums + row, labels + row, factors ? factors + row : NULL, rows - row,
                              outputs + row, delta + row, costs + row);
    }
    return correct;
}

CM_INLINE float largest_of(const float *x, size_t count) {
    float largest = x[0];
    for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

// One row: the sum of the exponentials of its sums less the largest, and prediction and slopes.
CM_INLINE double judge_row(const float *sums, size_t classes, size_t target, float largest,
                           double factor, float *outputs, float *delta) {
    double kept[CM_KEPT_CLASSES];
    vd total = {0};
    for (size_t i = 0; i < classes; i += CM_HALF) {
        size_t n = up_to_half(classes - i);
        vd e = exp_of_negative(load_doubles(sums + i, n) - (double)largest);
        if (i + CM_HALF <= CM_KEPT_CLASSES) memcpy(kept + i, &e, sizeof e);
        if (n < CM_HALF) {
            for (size_t j = n; j < CM_HALF; j++) e[j] = 0;
        }
        total = total + e;
    }
    double sum = 0;
    for (size_t i = 0; i < CM_HALF; i++) sum += total[i];
    const double share = 1 / sum;
    for (size_t i = 0; i < classes; i += CM_HALF) {
        size_t n = up_to_half(classes - i);
        vd e;
        if (i + CM_HALF <= CM_KEPT_CLASSES) {
            memcpy(&e, kept + i, sizeof e);
        } else {
            e = exp_of_negative(load_doubles(sums + i, n) - (double)largest);
        }
        vd p = e * share;
        store_floats(outputs + i, p, n);
        if (target - i < CM_HALF) p[target - i] -= 1;
        store_floats(delta + i, p * factor, n);
    }
    return sum;
}

static size_t judge_softmax(const float *sums, size_t classes, const float *labels,
                            const float *factors, size_t rows, float *outputs, float *delta,
                            double *costs) {
    size_t correct = 0;
    for (size_t row = 0; row < rows; row += CM_HALF) {
        const size_t count = up_to_half(rows - row);
        vd totals = splat_double(1), gaps = {0};
        for (size_t i = 0; i < count; i++) {
            const size_t at = (row + i) * classes;
            const size_t target = (size_t)labels[row + i];
            const float largest = largest_of(sums + at, classes);
            totals[i] = judge_row(sums + at, classes, target, largest,
                                  factors ? (double)factors[row + i] : 1, outputs + at, delta + at);
            gaps[i] = (double)largest - (double)sums[at + target];
            // Of several largest ones the first is the prediction.
            size_t first = 0;
            while (first < target && sums[at + first] < largest) first++;
            correct += first == target && sums[at + target] == largest;
        }
        vd cost = log_of_normal(totals) + gaps;
        memcpy(costs + row, &cost, count * sizeof(double));
    }
    return correct;
}
