// Losses, predictions and slopes of rows from their last layer's sums, in double. Written once for
// every set; see cm_body.h.

#define CM_KEPT_CLASSES 64  // sums and exponentials that are kept from one pass to the next

// What losses come to over rows, in one sum for each lane.
typedef struct {
    vd plain, weighted;  // whatever their weights, and with them
    vd factors;          // whose logarithms are still to be added to the plain ones
    vl right;            // less one for each row that is
} loss_sums;

#define CM_FACTORS 512  // of at most 2 each, so that their product is finite

// The first lanes of a vector, and something else in the others.
CM_INLINE vd lanes_up_to(vd x, size_t count, double other) {
    CM_UNROLL for (size_t i = 0; i < CM_HALF; i++) x[i] = i < count ? x[i] : other;
    return x;
}

CM_INLINE void add_losses(loss_sums *sums, vd costs, const float *factors, size_t count) {
    costs = count == CM_HALF ? costs : lanes_up_to(costs, count, 0);
    sums->plain += costs;
    if (factors) sums->weighted += costs * load_doubles(factors, count);
}

CM_INLINE void add_right(loss_sums *sums, vl right, size_t count) {
    sums->right += count == CM_HALF ? right : (vl)lanes_up_to((vd)right, count, 0);
}

CM_INLINE double sum_of_doubles(vd x) {
    double sum = 0;
    for (size_t i = 0; i < CM_HALF; i++) sum += x[i];
    return sum;
}

CM_INLINE cm_losses total_of(const loss_sums *sums, const float *factors) {
    const double plain = sum_of_doubles(sums->plain);
    return (cm_losses){.plain = plain,
                       .weighted = factors ? sum_of_doubles(sums->weighted) : plain,
                       .right = (size_t)-__builtin_reduce_add(sums->right)};
}

// A vector of rows with one sum each. Where all count alike only their product's logarithm is taken.
CM_INLINE void judge_some(const float *x, const float *labels, const float *factors, size_t count,
                          float *outputs, float *delta, loss_sums *sums) {
    vd odds = load_doubles(x, count);
    vl positive = load_doubles(labels, count) == 1.0;
    vd margin = choose_double(positive, odds, -odds);
    vd tail = exp_of_negative((vd)((vl)odds | INT64_MIN));
    vd factor = 1.0 + tail, share = 1.0 / factor;
    // What is lost of the tail when one is added to it.
    vd rest = (tail - (factor - 1.0)) * share;
    vd cost = choose_double(margin < 0.0, -margin, splat_double(0)) + rest;
    if (factors) {
        cost = cost + log_of_normal(factor);
    } else {
        sums->factors = sums->factors * (count == CM_HALF ? factor : lanes_up_to(factor, count, 1));
    }
    add_losses(sums, cost, factors, count);
    add_right(sums, (odds > 0.0) == positive, count);
    store_floats(outputs, choose_double(odds >= 0.0, splat_double(1), tail) * share, count);
    if (!delta) return;
    // The probability of the wrong answer keeps its precision however small it gets.
    vd wrong = choose_double(margin >= 0.0, tail, splat_double(1)) * share;
    vd slope = choose_double(positive, -wrong, wrong);
    if (factors) slope = slope * load_doubles(factors, count);
    store_floats(delta, slope, count);
}

CM_INLINE cm_losses judge_odds(const float *x, const float *labels, const float *factors,
                               size_t rows, float *outputs, float *delta) {
    loss_sums sums = {.factors = splat_double(1)};
    size_t row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        judge_some(x + row, labels + row, factors ? factors + row : NULL, CM_HALF, outputs + row,
                   delta ? delta + row : NULL, &sums);
        if (factors || row / CM_HALF % CM_FACTORS != CM_FACTORS - 1) continue;
        sums.plain += log_of_normal(sums.factors);
        sums.factors = splat_double(1);
    }
    if (row < rows) {
        judge_some(x + row, labels + row, factors ? factors + row : NULL, rows - row,
                   outputs + row, delta ? delta + row : NULL, &sums);
    }
    sums.plain += log_of_normal(sums.factors);
    return total_of(&sums, factors);
}

static cm_losses judge_logistic(const float *sums, const float *labels, const float *factors,
                                size_t rows, float *outputs, float *delta) {
    if (factors) return judge_odds(sums, labels, factors, rows, outputs, delta);
    if (delta) return judge_odds(sums, labels, NULL, rows, outputs, delta);
    return judge_odds(sums, labels, NULL, rows, outputs, NULL);
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

// How many columns are taken and stored together where all rows are there.
#define CM_COLUMNS (CM_HALF == 8 ? 8 : 1)

CM_INLINE void columns_of(const float *x, size_t columns, vd to[CM_COLUMNS]) {
#if CM_HALF == 8
    eight v[8];
    load_eight(x, columns, v);
    turn_vectors(v);
    CM_UNROLL for (int i = 0; i < 8; i++) to[i] = __builtin_convertvector(v[i], vd);
#else
    to[0] = column_of(x, columns, CM_HALF);
#endif
}

CM_INLINE void store_columns(float *x, size_t columns, const vd from[CM_COLUMNS]) {
#if CM_HALF == 8
    eight v[8];
    CM_UNROLL for (int i = 0; i < 8; i++) v[i] = __builtin_convertvector(from[i], eight);
    turn_vectors(v);
    store_eight(x, columns, v);
#else
    store_column(x, columns, CM_HALF, from[0]);
#endif
}

// Up to CM_HALF rows, one in each lane; a prediction is the first of the largest sums.
CM_INLINE void judge_lanes(const float *sums, size_t classes, const float *labels,
                           const float *factors, size_t rows, float *outputs, float *delta,
                           loss_sums *found) {
    vd kept[CM_KEPT_CLASSES];
    const size_t known = classes < CM_KEPT_CLASSES ? classes : CM_KEPT_CLASSES;
    const size_t turned = rows == CM_HALF ? known / CM_COLUMNS * CM_COLUMNS : 0;
    const vd target = column_of(labels, 1, rows);
    const vd factor = factors ? column_of(factors, 1, rows) : splat_double(1);
    for (size_t i = 0; i < turned; i += CM_COLUMNS) columns_of(sums + i, classes, kept + i);
    for (size_t i = turned; i < known; i++) kept[i] = column_of(sums + i, classes, rows);
    vd largest = kept[0], best = {0}, own = {0}, total = {0}, class = {0};
    for (size_t i = 0; i < classes; i++, class += 1.0) {
        vd x = i < CM_KEPT_CLASSES ? kept[i] : column_of(sums + i, classes, rows);
        vl greater = x > largest;
        largest = choose_double(greater, x, largest);
        best = choose_double(greater, class, best);
        own = choose_double(target == class, x, own);
    }
    for (size_t i = 0; i < known; i++) {
        kept[i] = exp_of_negative(kept[i] - largest);
        total = total + kept[i];
    }
    for (size_t i = known; i < classes; i++) {
        total = total + exp_of_negative(column_of(sums + i, classes, rows) - largest);
    }
    const vd share = 1.0 / total;
    class = splat_double(0);
    for (size_t i = 0; i < turned; i += CM_COLUMNS) {
        vd shares[CM_COLUMNS], slopes[CM_COLUMNS];
        CM_UNROLL for (size_t j = 0; j < CM_COLUMNS; j++, class += 1.0) {
            vd p = shares[j] = kept[i + j] * share;
            slopes[j] = choose_double(target == class, p - 1.0, p) * factor;
        }
        store_columns(outputs + i, classes, shares);
        store_columns(delta + i, classes, slopes);
    }
    for (size_t i = turned; i < classes; i++, class += 1.0) {
        vd e = i < CM_KEPT_CLASSES
                   ? kept[i]
                   : exp_of_negative(column_of(sums + i, classes, rows) - largest);
        vd p = e * share;
        store_column(outputs + i, classes, rows, p);
        p = choose_double(target == class, p - 1.0, p);
        store_column(delta + i, classes, rows, p * factor);
    }
    vd cost = log_of_normal(total) + (largest - own);
    add_losses(found, cost, factors, rows);
    add_right(found, (best == target) & (largest == largest), rows);
}

static cm_losses judge_softmax(const float *sums, size_t classes, const float *labels,
                               const float *factors, size_t rows, float *outputs, float *delta) {
    loss_sums found = {{0}};
    size_t row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        judge_lanes(sums + row * classes, classes, labels + row, factors ? factors + row : NULL,
                    CM_HALF, outputs + row * classes, delta + row * classes, &found);
    }
    if (row < rows) {
        judge_lanes(sums + row * classes, classes, labels + row, factors ? factors + row : NULL,
                    rows - row, outputs + row * classes, delta + row * classes, &found);
    }
    return total_of(&found, factors);
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

// Up to half a vector of rows, at their places from 0 up.
CM_INLINE void count_places(const float *odds, const float *labels, const size_t rows,
                            double range, double per_bin, double last, uint64_t *positives,
                            uint64_t *negatives) {
    vd place = (load_doubles(odds, rows) + range) * per_bin;
    // What is no number counts as the smallest.
    place = choose_double(place >= 0.0, place, splat_double(0));
    place = choose_double(place > last, splat_double(last), place);
    const half_mask bins = __builtin_convertvector(place, half_mask);
    CM_UNROLL for (size_t i = 0; i < CM_HALF; i++) {
        if (i >= rows) break;
        uint64_t *counts = labels[i] == 1 ? positives : negatives;
        counts[bins[i]]++;
    }
}

// Counts rows in equal bins of their log odds from -range to range, those beyond in the outer ones.
static void count_odds(const float *odds, const float *labels, size_t rows, double range,
                       size_t bins, uint64_t *positives, uint64_t *negatives) {
    const double per_bin = (double)bins / (2 * range), last = (double)(bins - 1);
    size_t row = 0;
    for (; row + CM_HALF <= rows; row += CM_HALF) {
        count_places(odds + row, labels + row, CM_HALF, range, per_bin, last, positives, negatives);
    }
    if (row < rows) {
        count_places(odds + row, labels + row, rows - row, range, per_bin, last, positives,
                     negatives);
    }
}
